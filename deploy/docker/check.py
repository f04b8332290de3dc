"""Checks what describes the installation in containers: `python -m deploy.docker.check`.

hadolint reads the Dockerfile, the Compose Specification's JSON Schema the compose file, Caddy its own configuration.
The checks of our own see what no tool can: that everything named in one file is there in the others.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy import settings_reference
from deploy.docker.compose import Compose
from deploy.docker.compose_rules import RULES

ROOT = settings_reference.ROOT


def _tool(*command: str | Path) -> Iterator[str]:
    """What a program of the virtual environment says against a file."""
    program = Path(sysconfig.get_path("scripts")) / str(command[0])
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        yield f"{command[0]}: {(done.stdout + done.stderr).strip()}"


def problems(root: Path = ROOT) -> Iterator[str]:
    """Everything that is wrong in the tree at `root`."""
    compose = root / "docker-compose.yml"
    yield from _tool("hadolint", root / "deploy/docker/Dockerfile")
    yield from _tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", compose)
    yield from _tool(
        "caddy", "adapt", "--adapter", "caddyfile", "--config", root / "deploy/gateway/Caddyfile"
    )
    with tempfile.TemporaryDirectory() as secrets:
        installation = Compose.read(root, Path(secrets))
        for rule in RULES:
            yield from rule(installation)


def main() -> int:
    """0, or 1 with a line for each problem."""
    wrong = [*problems(), *settings_reference.drift()]
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    if not wrong:
        sys.stdout.write("Dockerfile, docker-compose.yml, gateway and settings fit together\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
