"""The start page over HTTP, and the files it is made with."""

from __future__ import annotations

from importlib.resources import files

from flask import Response, abort, current_app, render_template

from services.web.start import views
from services.web.start.queries import latest_demo
from shared.web import PUBLIC, Blueprint

__all__ = ["LINK", "LOOKOUT", "STORY", "blueprint"]

LINK = "crm.web.link"
LOOKOUT = "crm.web.lookout"
STORY = "crm.web.story"
"""Where the application keeps what the page is made of: where browsers find an API, who looks at the services, and
the demo's file."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES = {"base.css": "text/css", "live.js": "text/javascript", "mark.svg": "image/svg+xml"}
_HTML = {"responses": {200: {"description": "A page", "content": {"text/html": {}}}}}

blueprint = Blueprint(
    "start", __name__, template_folder="templates", description="What runs, and the latest demo, for people"
)


@blueprint.get("/", permission=PUBLIC)
@blueprint.response(200)
@blueprint.doc(**_HTML)
def show_start() -> Response:
    """The start page."""
    return _page("start.html")


@blueprint.get("/live", permission=PUBLIC)
@blueprint.response(200)
@blueprint.doc(**_HTML)
def show_live() -> Response:
    """The part of the start page that changes."""
    return _page("live.html")


@blueprint.get("/assets/<string:name>", permission=PUBLIC)
@blueprint.response(200)
@blueprint.doc(
    responses={200: {"description": "A file", "content": {kind: {} for kind in sorted(_FILES.values())}}}
)
def get_asset(name: str) -> Response:
    """A file of the page."""
    if name not in _FILES:
        abort(404)
    content = files("services.web").joinpath("assets", name).read_bytes()
    return Response(content, content_type=f"{_FILES[name]}; charset=utf-8")


def _page(template: str) -> Response:
    extensions = current_app.extensions
    page = views.start_page(extensions[LOOKOUT].look(), latest_demo(extensions[STORY]), extensions[LINK])
    return Response(
        render_template(template, page=page),
        content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )
