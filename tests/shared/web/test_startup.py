"""The application does not start when a route does not say who may use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Blueprint as FlaskBlueprint

from shared.service import Runtime
from shared.web import PUBLIC, Blueprint, UndeclaredRoute, create_app
from tests.shared.web.conftest import make_app, notes


def fresh() -> Blueprint:
    return Blueprint("things", __name__, url_prefix="/v1/things")


def view() -> None:
    """Do nothing."""


def test_a_route_without_a_permission_cannot_be_written() -> None:
    for declare in (fresh().get, fresh().post, fresh().put, fresh().patch, fresh().delete):
        with pytest.raises(TypeError, match="permission"):
            declare("")  # type: ignore[call-arg]


@pytest.mark.parametrize("add", [lambda b: b.route("")(view), lambda b: b.add_url_rule("", view_func=view)])
def test_a_route_added_past_the_declaration_is_refused(add: Callable[[Blueprint], None]) -> None:
    with pytest.raises(UndeclaredRoute, match="must be declared"):
        add(fresh())


def test_an_unknown_permission_stops_the_start(runtime: Runtime) -> None:
    blueprint = fresh()
    blueprint.get("", permission="thing.read")(view)
    with pytest.raises(UndeclaredRoute, match=r"thing\.read, which permissions\.yaml does not know"):
        make_app(runtime, blueprint)


@pytest.mark.parametrize("prefix", ["/v1/things", "/public/v2", "/public/v10"])
def test_a_public_route_outside_the_public_prefix_stops_the_start(runtime: Runtime, prefix: str) -> None:
    blueprint = Blueprint("things", __name__, url_prefix=prefix)
    blueprint.get("/x", permission=PUBLIC)(view)
    with pytest.raises(UndeclaredRoute, match="is public"):
        make_app(runtime, blueprint)


def test_a_service_may_name_further_public_prefixes(runtime: Runtime) -> None:
    blueprint = Blueprint("oauth", __name__, url_prefix="/oauth")
    blueprint.get("/jwks.json", permission=PUBLIC)(view)
    client = make_app(runtime, blueprint, open_prefixes=("/oauth",)).test_client()
    assert client.get("/oauth/jwks.json").status_code == 204


def test_a_route_of_another_kind_of_blueprint_stops_the_start(runtime: Runtime) -> None:
    foreign = FlaskBlueprint("foreign", __name__)
    foreign.add_url_rule("/v1/foreign", view_func=view)
    blueprint = fresh()
    blueprint.get("", permission="note.read")(view)
    blueprint.record(lambda state: state.app.register_blueprint(foreign))
    with pytest.raises(UndeclaredRoute, match="around"):
        make_app(runtime, blueprint)


def test_a_blueprint_cannot_pass_for_a_built_in_one(runtime: Runtime) -> None:
    posing = FlaskBlueprint("health.extra".replace(".", "_"), __name__)
    posing.add_url_rule("/v1/x", endpoint="x", view_func=view)
    blueprint = fresh()
    blueprint.get("", permission="note.read")(view)
    blueprint.record(lambda state: state.app.register_blueprint(posing, name="health"))
    with pytest.raises((UndeclaredRoute, ValueError)):
        make_app(runtime, blueprint)


def test_a_rate_that_cannot_be_read_stops_the_start(runtime: Runtime) -> None:
    wrong = replace(runtime, settings=replace(runtime.settings, rate_limit="lots"))
    with pytest.raises(ValueError, match="'lots' is not a rate"):
        make_app(wrong)


def test_the_suites_own_policy_is_the_default(runtime: Runtime) -> None:
    with pytest.raises(UndeclaredRoute, match=r"permissions\.yaml does not know"):
        create_app(runtime, [notes])


def test_arguments_come_from_known_places_only() -> None:
    with pytest.raises(ValueError, match="headers"):
        fresh().arguments(type("S", (), {}), location="headers")  # type: ignore[arg-type]
