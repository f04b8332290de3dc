"""`python -m shared.contracts build|check|release`: keeps the generated contracts true to their source."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from shared.contracts import asyncapi
from shared.contracts.breaking_changes import Break, breaking_changes, released_catalog
from shared.contracts.catalog import HERE, Catalog, read_declarations

ROOT = HERE.parent.parent
ASYNCAPI = HERE / "asyncapi.yaml"
RELEASED = HERE / "released.json"
OPENAPI = ROOT / "docs" / "openapi"


@click.group()
def contracts() -> None:
    """What the services promise each other and the world."""


@contracts.command()
def build() -> None:
    """Write the AsyncAPI document and every service's OpenAPI document."""
    OPENAPI.mkdir(parents=True, exist_ok=True)
    ASYNCAPI.write_text(asyncapi.rendered(Catalog.load()))
    for name in _services():
        _write_openapi(name, OPENAPI / f"{name}.json")


@contracts.command()
def check() -> None:
    """Fail when a generated document has drifted, or a change breaks what was released."""
    wrong = [*_drift(), *map(str, _breaks())]
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        sys.exit(1)
    click.echo(f"{len(Catalog.load().types)} types on {len(Catalog.load().topics)} topics: contracts hold")


@contracts.command()
@click.option("--accept-breaking", is_flag=True, help="Release although something breaks.")
def release(accept_breaking: bool) -> None:
    """Make what is declared now the baseline that later changes are compared with."""
    broken = _breaks()
    for line in broken:
        click.echo(line, err=True)
    if broken and not accept_breaking:
        click.echo("Nothing was released: the above breaks consumers of the last release.", err=True)
        sys.exit(1)
    schemas = HERE / "schemas"
    content = {
        "topics": list(read_declarations(HERE / "topics")),
        "documents": {
            path.relative_to(schemas).as_posix(): json.loads(path.read_bytes())
            for path in sorted(schemas.rglob("*.json"))
        },
    }
    RELEASED.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _breaks() -> list[Break]:
    released = released_catalog(json.loads(RELEASED.read_bytes()))
    return breaking_changes(released, Catalog.load())


def _drift() -> Iterator[str]:
    advice = "run `python -m shared.contracts build` and commit"
    if not ASYNCAPI.exists() or ASYNCAPI.read_text() != asyncapi.rendered(Catalog.load()):
        yield f"{ASYNCAPI.relative_to(ROOT)} has drifted: {advice}"
    with tempfile.TemporaryDirectory() as folder:
        for name in _services():
            kept, fresh = OPENAPI / f"{name}.json", Path(folder, f"{name}.json")
            _write_openapi(name, fresh)
            if not kept.exists() or kept.read_bytes() != fresh.read_bytes():
                yield f"{kept.relative_to(ROOT)} has drifted: {advice}"


def _services() -> list[str]:
    return sorted(wiring.parent.name for wiring in (ROOT / "services").glob("*/wiring.py"))


def _write_openapi(name: str, path: Path) -> None:
    """Let the service write its own document: this package imports none."""
    command = [sys.executable, "-m", f"services.{name}", "openapi", "--output", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"services.{name} could not describe its API:\n{done.stderr}")


if __name__ == "__main__":
    contracts()
