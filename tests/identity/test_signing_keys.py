"""Keys follow one another without a token refused that should count, nor one counted that should not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jws
from sqlalchemy import select

from services.identity.command_line import COMMANDS
from services.identity.signing_keys.errors import KeyUnreadable, RotationUnderWay
from services.identity.signing_keys.model import SigningKey
from services.identity.signing_keys.use_cases import (
    LASTS_AFTER_SIGNING,
    RETIREMENT,
    KeyRing,
    change_secret,
    replace_signing_keys,
    rotate_signing_key,
)
from services.identity.wiring import SERVICE
from shared import cli
from shared.db.plumbing import AUDIT_ENTRIES, TIMERS
from shared.kernel.clock import FixedClock
from tests.identity.conftest import Identity

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def published(identity: Identity) -> list[str]:
    return [key["kid"] for key in identity.client.get("/oauth/jwks.json").json["keys"]]


def signed_with(identity: Identity) -> str:
    token: str = identity.token().json["access_token"]
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def rotate(identity: Identity) -> SigningKey:
    runtime = identity.service.runtime
    return rotate_signing_key(runtime.settings.secret, runtime.unit_of_work())


def test_the_next_key_is_published_a_day_before_it_signs(identity: Identity, clock: FixedClock) -> None:
    (first,) = published(identity)
    second = rotate(identity)
    assert published(identity) == [second.kid, first]
    assert second.signs_from == clock.now() + DAY
    clock.advance(DAY - SECOND)
    assert signed_with(identity) == first
    clock.advance(SECOND)
    assert signed_with(identity) == second.kid


def test_the_old_key_stays_until_its_last_token_has_ended(identity: Identity, clock: FixedClock) -> None:
    (first,) = published(identity)
    second = rotate(identity)
    assert timedelta(days=1, minutes=11) == LASTS_AFTER_SIGNING
    clock.advance(DAY + LASTS_AFTER_SIGNING - SECOND)
    identity.service.fire_timers()
    assert published(identity) == [second.kid, first]
    clock.advance(SECOND)
    identity.service.fire_timers()
    assert published(identity) == [second.kid]
    assert signed_with(identity) == second.kid


def test_three_keys_in_a_row_leave_one(identity: Identity, clock: FixedClock) -> None:
    for _ in range(2):
        rotate(identity)
        clock.advance(DAY)
    assert len(published(identity)) == 3
    clock.advance(LASTS_AFTER_SIGNING)
    identity.service.fire_timers()
    assert len(published(identity)) == 1


def test_one_rotation_at_a_time(identity: Identity) -> None:
    second = rotate(identity)
    with pytest.raises(RotationUnderWay, match=re.escape(second.kid)):
        rotate(identity)
    assert len(published(identity)) == 2


def test_a_key_that_leaked_is_gone_at_once(identity: Identity, clock: FixedClock) -> None:
    runtime, stale = identity.service.runtime, identity.headers()
    (first,) = published(identity)
    rotate(identity)
    third = replace_signing_keys(runtime.settings.secret, runtime.unit_of_work())
    assert published(identity) == [third.kid]
    assert signed_with(identity) == third.kid != first
    # Web processes read the keys again after five minutes.
    clock.advance(DAY + LASTS_AFTER_SIGNING)
    identity.service.fire_timers()
    assert published(identity) == [third.kid]
    fresh = Identity(replace(identity.service), identity.admin)
    assert fresh.client.get("/v1/me", headers=stale).status_code == 401


def test_the_timer_never_takes_the_key_that_signs(identity: Identity, clock: FixedClock) -> None:
    runtime = identity.service.runtime
    with runtime.unit_of_work() as uow:
        (key,) = uow.session.scalars(select(SigningKey))
        uow.timers.set("signing_key", key.id, RETIREMENT, clock.now())
    identity.service.fire_timers()
    with runtime.database.session() as session:
        assert session.scalars(select(TIMERS.c.state)).all() == ["fired"]
    assert signed_with(identity) == key.kid


def test_another_secret_opens_the_keys_that_were_encrypted_anew(
    identity: Identity, clock: FixedClock
) -> None:
    runtime, new = identity.service.runtime, "another secret altogether"
    old, before = runtime.settings.secret, published(identity)
    rotate(identity)
    assert change_secret(old, new, runtime.unit_of_work()) == 2
    assert change_secret(old, new, runtime.unit_of_work()) == 0
    with pytest.raises(KeyUnreadable):
        change_secret("never anybody's secret", "nor was this one ever", runtime.unit_of_work())
    with runtime.database.session() as session:
        for moment in (clock.now(), clock.now() + DAY):
            assert KeyRing(new).signing_key(session, moment).kid in published(identity)
            with pytest.raises(KeyUnreadable):
                KeyRing(old).signing_key(session, moment)
    assert published(identity)[1:] == before


@pytest.fixture
def command(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """`command("keys", "list")` is what it prints; it must end well."""
    settings = identity.service.runtime.settings
    for name in ("database_url", "bus", "bus_database_url", "secret", "identity_url"):
        monkeypatch.setenv(f"CRM_{name.upper()}", str(getattr(settings, name)))

    def run(*arguments: str) -> str:
        cli.main(SERVICE, arguments, commands=COMMANDS)
        return capsys.readouterr().out

    return run


def test_the_commands_say_what_they_did(
    identity: Identity, command: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (first,) = published(identity)
    assert re.fullmatch(rf"{first} signing  signs from [0-9: -]{{16}} UTC\n", command("keys", "list"))
    assert re.fullmatch(
        r"\S+ signs from [0-9: -]{16} UTC\.\n", command("keys", "rotate", "--publish-hours", "0.25")
    )
    waiting = published(identity)[0]
    lines = command("keys", "list").splitlines()
    assert [line.split()[:2] for line in lines] == [[waiting, "waiting"], [first, "signing"]]
    said = re.search(r"from (.{16}) UTC", lines[0])
    assert said is not None
    sets_on = datetime.strptime(f"{said[1]}+0000", "%Y-%m-%d %H:%M%z")
    assert abs(sets_on - identity.service.runtime.clock.now() - timedelta(minutes=15)) < timedelta(minutes=5)

    files = [tmp_path / "old", tmp_path / "new"]
    files[0].write_text(identity.service.runtime.settings.secret + "\n")
    files[1].write_text("too short\n")
    with pytest.raises(SystemExit):
        command("keys", "change-secret", *map(str, files))
    assert "16 characters" in capsys.readouterr().err
    files[1].write_text("another secret altogether\n")
    assert command("keys", "change-secret", *map(str, files)) == "2 keys are encrypted anew.\n"
    assert command("keys", "replace", "--yes").endswith(" signs from now on.\n")
    assert set(published(identity)).isdisjoint({first, waiting})
    with identity.service.runtime.database.session() as session:
        a = AUDIT_ENTRIES.c
        entries = session.execute(select(a.action, a.object).where(a.actor == "system:command-line")).all()
    assert {entry.action for entry in entries} == {"keys.rotate", "keys.change_secret", "keys.replace"}
    assert all(entry.object.startswith("signing_key:") for entry in entries)
