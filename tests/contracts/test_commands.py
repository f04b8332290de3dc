"""`python -m shared.contracts build|check|release`, on a copy of what it reads and writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.contracts import __main__ as commands


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with the generated files, one described service, and the real catalogue."""
    here = tmp_path / "shared" / "contracts"
    shutil.copytree(commands.HERE / "schemas", here / "schemas")
    shutil.copytree(commands.HERE / "topics", here / "topics")
    (tmp_path / "services" / "sales").mkdir(parents=True)
    (tmp_path / "services" / "sales" / "wiring.py").touch()
    for name, value in {
        "ROOT": tmp_path,
        "HERE": here,
        "ASYNCAPI": here / "asyncapi.yaml",
        "RELEASED": here / "released.json",
        "OPENAPI": tmp_path / "docs" / "openapi",
    }.items():
        monkeypatch.setattr(commands, name, value)
    describe(tmp_path, "print('nothing')")
    (here / "released.json").write_text('{"topics": [], "documents": {}}')
    assert run("build").exit_code == 0
    return tmp_path


def describe(root: Path, extra: str) -> None:
    """Let the service `sales` write an API document, after doing `extra`."""
    (root / "services" / "sales" / "__main__.py").write_text(
        f"import sys, pathlib\n{extra}\npathlib.Path(sys.argv[3]).write_text(' '.join(sys.argv[1:3]))\n"
    )


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands.contracts, arguments)


def test_what_was_just_built_holds(sandbox: Path) -> None:
    done = run("check")
    assert done.exit_code == 0, done.output
    assert "contracts hold" in done.output
    assert (sandbox / "docs" / "openapi" / "sales.json").read_text() == "openapi --output"


def test_a_drifted_asyncapi_document_is_named(sandbox: Path) -> None:
    commands.ASYNCAPI.write_text(commands.ASYNCAPI.read_text() + "# by hand\n")
    done = run("check")
    assert done.exit_code == 1
    assert "shared/contracts/asyncapi.yaml has drifted" in done.output
    assert "sales.json" not in done.output


def test_a_drifted_api_description_is_named(sandbox: Path) -> None:
    (sandbox / "docs" / "openapi" / "sales.json").write_text("{}")
    done = run("check")
    assert done.exit_code == 1
    assert "docs/openapi/sales.json has drifted" in done.output


def test_a_service_that_cannot_describe_itself_fails_the_check(sandbox: Path) -> None:
    describe(sandbox, "raise SystemExit('no route may be undeclared')")
    done = run("check")
    assert done.exit_code == 1
    assert "services.sales could not describe its API" in done.output
    assert "no route may be undeclared" in done.output


def test_a_release_becomes_the_baseline(sandbox: Path) -> None:
    assert run("release").exit_code == 0
    released = json.loads(commands.RELEASED.read_text())
    assert "sales/opportunity.won.v1.json" in released["documents"]
    assert "crm.sales.opportunity" in [topic["topic"] for topic in released["topics"]]
    assert run("check").exit_code == 0


def plant_a_break(sandbox: Path) -> str:
    """Put a member into the baseline that the present schemas lack; gives the baseline's text."""
    assert run("release").exit_code == 0
    released = json.loads(commands.RELEASED.read_text())
    won = released["documents"]["sales/opportunity.won.v1.json"]
    won["properties"]["colour"] = {"type": "string"}
    text = json.dumps(released)
    commands.RELEASED.write_text(text)
    return text


def test_a_break_with_the_last_release_fails_the_check(sandbox: Path) -> None:
    plant_a_break(sandbox)
    done = run("check")
    assert done.exit_code == 1
    assert "crm.sales.opportunity.won.v1 colour: was removed or renamed" in done.output


def test_a_breaking_release_is_refused_unless_accepted(sandbox: Path) -> None:
    before = plant_a_break(sandbox)
    refused = run("release")
    assert refused.exit_code == 1
    assert "Nothing was released" in refused.output
    assert commands.RELEASED.read_text() == before
    assert run("release", "--accept-breaking").exit_code == 0
    assert run("check").exit_code == 0
