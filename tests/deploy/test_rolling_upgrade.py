"""The suite is upgraded while people work, and one service goes back; `make faults` does the same for longer."""

from __future__ import annotations

from pathlib import Path

from shared.testing.run_directory import run_directory
from shared.testing.suites import free_offset
from tests.faults.rolling.fleet import RollingSuite
from tests.faults.rolling.upgrade import SHORT, upgrade


def test_an_upgrade_under_load_fails_no_request_and_loses_and_doubles_nothing(tmp_path: Path) -> None:
    suite = RollingSuite(run_directory() / "rolling", free_offset())
    result = upgrade(suite, tmp_path, SHORT)
    assert result.wrong == []
    assert result.verdict.acknowledged >= 6
    assert result.repeated > 0
    assert all(result.pairs[one, other] for one in ("old", "new") for other in ("old", "new"))
