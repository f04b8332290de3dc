"""What ``make demo`` leaves behind when it fails."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.suite import ROOT


def demo(home: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.local.demo", "--home", str(home), "--json", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("older", ['{"duplicates": 0}', None])
def test_a_failed_demo_leaves_no_result(older: str | None, tmp_path: Path) -> None:
    output = tmp_path / "demo.json"
    if older is not None:
        output.write_text(older)
    failed = demo(tmp_path / "nothing-runs-here", output)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1, failed.stderr
    assert "make run" in failed.stderr
    assert not output.exists()
