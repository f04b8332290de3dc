"""What the audit makes of its tools' answers: above all, that nothing looked at is not nothing found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

from deploy import audit

HARMLESS = {"name": "flask", "version": "3.1", "vulns": []}
SKIPPED = {"name": "flask", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE = {"name": "flask", "version": "0.1", "vulns": [{"id": "PYSEC-1"}, {"id": "CVE-2"}]}


def answer(monkeypatch: pytest.MonkeyPatch, by_tool: Mapping[str, tuple[int, str, str]]) -> None:
    """Let each tool end with this code and say this; others end well and silent."""

    def run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        code, said, complained = by_tool.get(tool, (0, "", ""))
        return subprocess.CompletedProcess([tool, *arguments], code, said, complained)

    monkeypatch.setattr(audit, "_run", run)


def packages(*found: Mapping[str, Any]) -> tuple[int, str, str]:
    return 0, json.dumps({"dependencies": found}), ""


@pytest.mark.parametrize(
    ("said", "code", "line"),
    [
        (packages(HARMLESS, SKIPPED), 0, "1 of 2 packages checked, 0 vulnerable."),
        (packages(HARMLESS, VULNERABLE), 1, "flask 0.1: PYSEC-1, CVE-2"),
        (packages(SKIPPED), 0, "NOT CHECKED: no database of vulnerabilities is reachable."),
        ((1, "", "x\nConnection refused\n"), 0, "is reachable. Connection refused"),
    ],
)
def test_vulnerabilities_are_found_and_what_was_not_checked_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: tuple[int, str, str],
    code: int,
    line: str,
) -> None:
    answer(monkeypatch, {"pip-audit": said})
    assert audit.main() == code
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("tool", ["bandit", "detect-secrets-hook", "pip-licenses"])
def test_one_tool_that_finds_something_is_enough_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    answer(monkeypatch, {"pip-audit": packages(HARMLESS), tool: (1, "", "")})
    assert audit.main() == 1
    titles = [line for line in capsys.readouterr().out.splitlines() if line.endswith(")")]
    assert len(titles) == 4
