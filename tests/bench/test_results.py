"""What is noted beside every figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import results
from bench.results import Occasion


def test_an_occasion_tells_what_the_machine_was_like_also_in_a_new_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_LATEST", tmp_path / "results" / "latest.json")
    occasion = Occasion.now()
    assert occasion.commit
    assert occasion.loop_ms > 0
    assert occasion.sync_ms > 0
