"""Carries out an image's steps without a container engine: `python -m deploy.docker.install_check [SERVICE ...]`.

For each service the files that the Dockerfile copies are copied into an empty folder and its packages are installed
there by the Dockerfile's own script; then the service is migrated and its web and bus processes are started on a
database of its own, until they say that they are ready. So a service that needs another's code or package is found.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import httpx

from deploy.local.postgres import EPHEMERAL, Cluster
from deploy.local.problems import free_port
from deploy.postgres.databases import BUS, database_name, provision, provision_bus
from deploy.settings_reference import ROOT, services
from shared.messaging.postgres_bus import create_log

__all__ = ["DoesNotStart", "Installed", "bench_server", "install", "start"]

_DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
_READY_SECONDS = 120.0
_STOP_SECONDS = 30.0
# What .dockerignore keeps out of the folders that are copied.
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "testing", "*.md")


class DoesNotStart(Exception):
    """A step failed; the text has the step's last words."""


@dataclass(frozen=True)
class Installed:
    """A service in a folder of its own, laid out as in its image."""

    service: str
    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter that has the service's packages and no others."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def size(self) -> int:
        """Bytes that the image adds to its base."""
        return sum(
            file.stat().st_size for file in self.folder.rglob("*") if file.is_file() and not file.is_symlink()
        )

    def command(self, *arguments: str) -> list[str]:
        """What the image's entry point would run."""
        return [str(self.folder / "venv" / "bin" / "service"), *arguments]


def install(service: str, folder: Path) -> Installed:
    """Carry out the steps of the stage `service-build` in `folder`. Raises DoesNotStart."""
    if not (ROOT / "services" / service).is_dir():
        raise DoesNotStart(f"There is no service {service}.")
    build = folder / "build"
    build.mkdir(parents=True)
    target = folder / service
    for stage in ("tools", "service-build"):
        for sources, place in _copies(stage, service):
            into = target / place.removeprefix("/opt/crm/") if place.startswith("/opt/crm") else build
            for source in sources:
                _copy(
                    ROOT / source,
                    into if not place.endswith("/") or len(sources) > 1 else into / Path(source).name,
                )
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    _run(["sh", "install.sh", str(target), service], cwd=build, env={**os.environ, "PATH": path})
    return Installed(service, target)


def _copies(stage: str, service: str) -> Iterator[tuple[list[str], str]]:
    """What the Dockerfile copies in a stage, and where to."""
    current = ""
    for line in _DOCKERFILE.read_text().splitlines():
        words = line.replace("${SERVICE}", service).split()
        if words[:1] == ["FROM"]:
            current = words[3]
        elif words[:1] == ["COPY"] and current == stage:
            yield words[1:-1], words[-1]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=_LEFT_OUT)
    else:
        if target.is_dir():
            target /= source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _run(command: list[str], cwd: Path, env: Mapping[str, str]) -> None:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DoesNotStart(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3_000:]}")


@contextmanager
def bench_server(folder: Path) -> Iterator[Cluster]:
    """A PostgreSQL server with nothing in it."""
    server = Cluster(folder / "postgres", free_port(), log=folder / "postgres.log", settings=EPHEMERAL)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def start(installed: Installed, server: Cluster) -> float:
    """Migrate the service, start both its processes, and stop them once they are ready; the seconds that took.

    Raises DoesNotStart.
    """
    service, password = installed.service, secrets.token_urlsafe(16)
    provision(server, [service], {service: password})
    provision_bus(server, [service], password)
    create_log(server.url(BUS, BUS, password))
    name = database_name(service)
    ports = {"web": free_port(), "bus": free_port()}
    environment = {
        "PYTHONPATH": str(installed.folder / "app"),
        "PATH": str(installed.python.parent),
        "CRM_DATABASE_URL": server.url(name, name, password),
        "CRM_BUS": "postgres",
        "CRM_BUS_DATABASE_URL": server.url(BUS, name, password),
        "CRM_SECRET": secrets.token_urlsafe(32),
        "CRM_PORT": str(ports["web"]),
        "CRM_HEALTH_PORT": str(ports["bus"]),
    }
    began = time.monotonic()
    app = installed.folder / "app"
    _run(installed.command("migrate"), app, environment)
    with _running(installed, "bus", environment, ports["bus"]):
        environment["CRM_HEALTH_PORT"] = str(free_port())
        with _running(installed, "web", environment, ports["web"]):
            return time.monotonic() - began


@contextmanager
def _running(installed: Installed, role: str, environment: Mapping[str, str], port: int) -> Iterator[None]:
    """A process of the service, from when it is ready until it has ended well."""
    command, log = installed.command(role), installed.folder / f"{role}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=installed.folder / "app",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        problem = _not_ready(process, port)
        if problem is None:
            yield
            process.send_signal(signal.SIGTERM)
            problem = f"ended with {code}" if (code := process.wait(_STOP_SECONDS)) != 0 else None
        if problem is not None:
            raise DoesNotStart(f"{installed.service} {role} {problem}:\n{log.read_text()[-3_000:]}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _not_ready(process: subprocess.Popen[bytes], port: int) -> str | None:
    """Wait until the process is ready; what is wrong if it is not."""
    deadline = time.monotonic() + _READY_SECONDS
    said = "nothing"
    while process.poll() is None and time.monotonic() < deadline:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except httpx.TransportError as error:
            said = str(error)
        else:
            if answer.status_code == 200:
                return None
            said = answer.text
        time.sleep(0.1)
    return f"is not ready, it says {said}" if process.poll() is None else f"ended with {process.returncode}"


@click.command()
@click.argument("names", nargs=-1, metavar="[SERVICE]...")
def main(names: tuple[str, ...]) -> None:
    """Install and start each SERVICE alone; all of them without one."""
    failed = False
    click.echo(f"{'service':<14}{'MB over the base':>18}{'packages':>10}{'seconds to ready':>18}")
    with tempfile.TemporaryDirectory() as scratch, bench_server(Path(scratch)) as server:
        for service in names or services():
            folder = Path(scratch) / f"image-{service}"
            try:
                installed = install(service, folder)
                seconds = start(installed, server)
            except DoesNotStart as problem:
                failed = True
                click.echo(f"{service}: {problem}", err=True)
            else:
                packages = len(list(installed.folder.glob("venv/lib/*/site-packages/*.dist-info")))
                click.echo(f"{service:<14}{installed.size / 1e6:>18.0f}{packages:>10}{seconds:>18.1f}")
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
