"""`create_app`: a service's blueprints with everything that cuts across them, mounted once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from shared.contracts.policy import Policy
from shared.db.migrations import at_head
from shared.db.unit_of_work import UnitOfWork
from shared.observability.metrics import metrics
from shared.observability.traces import server_span
from shared.service import Runtime
from shared.web import bus_api, documentation, health, problems
from shared.web.application import Application, Subjects
from shared.web.blueprint import Blueprint, UndeclaredRoute
from shared.web.bodies import MAX_BODY
from shared.web.context import current
from shared.web.links import LinkSigner
from shared.web.operation import PUBLIC, Operation
from shared.web.pagination import CursorSigner
from shared.web.problems import BadRequest
from shared.web.rate_limits import RateLimit
from shared.web.tokens import SUITE_AUDIENCE, KeySet, TokenVerifier, file_keys, url_keys

__all__ = ["create_app"]

_PUBLIC_PREFIX = "/public/v1"
_BUILT_IN = ("health", "documentation")
_PAGE_POLICY = "Content-Security-Policy"
_SECURITY_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Strict-Transport-Security", "max-age=31536000"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


def create_app(
    runtime: Runtime,
    blueprints: Iterable[Blueprint],
    *,
    open_prefixes: tuple[str, ...] = (),
    has_bus: bool = True,
    policy: Policy | None = None,
    read_keys: Callable[[], bytes] | None = None,
) -> Flask:
    """The web application of one service.

    `open_prefixes`: addresses beside `/public/v1` below which routes may be PUBLIC (an OAuth server has
    some). `has_bus`: mount `/v1/bus`. `policy` replaces the suite's own in tests. `read_keys` gives the issuer's
    JWKS where it need not be fetched from `settings.identity_url`. Nothing is connected here.

    Raises UndeclaredRoute when a route does not say who may use it, names an unknown permission, or is public
    where it may not be; ValueError for a rate that cannot be read.
    """
    name = runtime.service.name
    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.strict_slashes = False
    app.extensions["crm"] = _application(runtime, policy or Policy.load(), read_keys)
    problems.install(app)
    api = documentation.Api(app, f"CRM {name}")
    for blueprint in (*blueprints, *([bus_api.blueprint] if has_bus else [])):
        api.register_blueprint(blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(documentation.blueprint)
    _check_routes(app, (_PUBLIC_PREFIX, *open_prefixes))
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_end)
    if runtime.settings.proxies:
        number = runtime.settings.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=number, x_host=number, x_prefix=number
        )
    return app


def _application(runtime: Runtime, policy: Policy, read_keys: Callable[[], bytes] | None) -> Application:
    settings, service, database = runtime.settings, runtime.service, runtime.database
    if settings.jwks_file is not None:
        read_keys = file_keys(settings.jwks_file)
    elif read_keys is None:
        read_keys = url_keys(f"{settings.identity_url}/oauth/jwks.json")
    outbox = runtime.outbox()
    return Application(
        group=service.group,
        policy=policy,
        clock=runtime.clock,
        tokens=TokenVerifier(
            KeySet(read_keys), settings.issuer_url, frozenset((service.name, SUITE_AUDIENCE))
        ),
        subjects=Subjects(database),
        cursors=CursorSigner(settings.secret),
        links=LinkSigner(settings.secret),
        client_limit=RateLimit(settings.rate_limit),
        public_limit=RateLimit(settings.public_rate_limit),
        new_unit_of_work=lambda: UnitOfWork(database.session(), outbox, runtime.clock),
        new_reading_session=database.reading_session,
        readiness=lambda: at_head(database, service.migrations),
    )


def _check_routes(app: Flask, open_prefixes: tuple[str, ...]) -> None:
    """Every address must be ours or declare a permission that the policy knows."""
    permissions = app.extensions["crm"].policy.permissions
    for rule in app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in _BUILT_IN:
            continue
        operation = getattr(app.view_functions[rule.endpoint], "operation", None)
        if not isinstance(operation, Operation):
            raise UndeclaredRoute(f"{rule.rule} was added around shared.web.Blueprint and has no permission")
        if operation.permission is PUBLIC:
            if not any(rule.rule == prefix or rule.rule.startswith(f"{prefix}/") for prefix in open_prefixes):
                raise UndeclaredRoute(f"{rule.rule} is public, but public routes live below {_PUBLIC_PREFIX}")
        elif operation.permission not in permissions:
            raise UndeclaredRoute(
                f"{rule.rule} needs {operation.permission}, which permissions.yaml does not know"
            )
        elif permissions[operation.permission].portal and (silent := operation.undeclared_for_portal):
            raise UndeclaredRoute(
                f"{rule.rule} is open to customers, but {', '.join(silent)} does not say what they see"
            )


def _begin() -> None:
    context = current()
    context.started = time.perf_counter()
    rule = request.url_rule
    context.route = rule.rule if rule is not None else "unknown"
    spanning = server_span(request.method, context.route, request.headers.get("traceparent"))
    context.spanning = spanning
    context.span = spanning.__enter__()
    if "\x00" in request.path or "%00" in request.environ.get("QUERY_STRING", ""):
        raise BadRequest("NUL characters are not allowed.")


def _finish(answer: Response) -> Response:
    context = current()
    headers = answer.headers
    if _PAGE_POLICY not in headers:
        headers.add(_PAGE_POLICY, "default-src 'none'; frame-ancestors 'none'")
    if "Cache-Control" not in headers:
        headers.add("Cache-Control", "no-store")
    headers.extend(_SECURITY_HEADERS)
    headers.add("X-Correlation-Id", str(context.correlation_id))
    if context.span is not None:
        context.span.set_attribute("http.response.status_code", answer.status_code)
        seconds = time.perf_counter() - context.started
        metrics.request_answered(request.method, context.route, answer.status_code, seconds)
    return answer


def _end(_: BaseException | None) -> None:
    context = g.get("crm")
    if context is None:
        return
    if context.unit_of_work is not None:
        context.unit_of_work.session.close()
    if context.reading is not None:
        context.reading.close()
    if context.spanning is not None:
        context.spanning.__exit__(None, None, None)
