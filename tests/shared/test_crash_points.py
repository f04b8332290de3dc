"""The points at which a test may kill a process, and nobody else may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import crash_points
from shared.cli import main
from shared.settings import SettingsError
from tests.shared import ledger
from tests.shared.messaging.outages import ended, in_child, killed


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    crash_points.arm({}, "local")


def test_a_process_dies_where_it_was_told_to_and_when() -> None:
    def work() -> None:
        crash_points.arm({"CRM_CRASH_AT": "R2:2"}, "local")
        for point in ("R1", "R2", "R3", "R1", "R2"):
            crash_points.passing(point)

    killed(work)


def test_before_its_time_and_at_other_points_it_lives() -> None:
    def work() -> None:
        crash_points.arm({"CRM_CRASH_AT": "R2:2"}, "local")
        for point in ("R1", "R2", "R3", "R1", "R3"):
            crash_points.passing(point)

    assert ended(in_child(work)) == 0


def test_nobody_dies_unasked() -> None:
    def work() -> None:
        crash_points.arm({"CRM_CRASH_AT": "R2"}, "local")
        crash_points.arm({}, "local")
        for point in crash_points.POINTS:
            crash_points.passing(point)

    assert ended(in_child(work)) == 0


@pytest.mark.parametrize("command", ["web", "bus"])
def test_production_does_not_start_with_the_hook_set(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {
        "CRM_DATABASE_URL": "postgresql://sales:hush@127.0.0.1/sales",
        "CRM_BUS": "kafka",
        "CRM_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
        "CRM_SECRET": "sixteen letters!",
        "CRM_ENVIRONMENT": "production",
        "CRM_CRASH_AT": "H2:3",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(ledger.service("sales"), [command])
    assert ended.value.code == 2
    said = "CRM_CRASH_AT is a test hook, which kills the process: unset it in production."
    assert capsys.readouterr().err.strip() == said


@pytest.mark.parametrize("wrong", ["X1", "R2:0", "R2:", "r2", "R2:3:4"])
def test_a_point_that_does_not_exist_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"CRM_CRASH_AT: one of W1, W2"):
        crash_points.arm({"CRM_CRASH_AT": wrong}, "local")


def test_every_point_is_passed_somewhere() -> None:
    modules = (path.read_text() for path in Path(crash_points.__file__).parent.rglob("*.py"))
    source = "\n".join(modules)
    for point in crash_points.POINTS:
        assert f'passing("{point}")' in source
