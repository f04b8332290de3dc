"""``LocalSuite``: one suite on this machine. Every path, port and address of it comes from here."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from deploy.local.kafka import Broker
from deploy.local.ports import HTTP, ROLES, Ports
from deploy.local.postgres import Cluster
from deploy.local.problems import LocalProblem
from deploy.local.processes import wait_until_gone
from deploy.local.run_record import ProcessRecord, RunRecord
from deploy.local.secret_store import ADMIN_CLIENT_ID, SecretStore
from deploy.postgres.databases import BUS, database_name

ROOT = Path(__file__).parents[2]
BUSES = ("postgres", "kafka")
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")


@dataclass(frozen=True)
class LocalSuite:
    """A suite whose data lives in ``home``; all its ports are moved up by ``port_offset``.

    ``kafka_bootstrap`` names a Kafka that runs elsewhere; without one, ``bus="kafka"`` starts a local broker.
    """

    home: Path = ROOT / ".crm"
    port_offset: int = 0
    bus: str = "postgres"
    kafka_bootstrap: str | None = None
    services: tuple[str, ...] = field(default_factory=lambda: choose_services())

    @classmethod
    def running(cls, home: Path = ROOT / ".crm") -> LocalSuite:
        """The suite that runs in ``home``. Raises ``LocalProblem`` when none does."""
        record = RunRecord.read(home / "run.json")
        if record is None or record.supervisor() is None:
            raise LocalProblem("The suite is not running: start it with `make run`.")
        return cls(home, record.port_offset, record.bus, record.kafka_bootstrap, record.services)

    # Where things are.

    @property
    def ports(self) -> Ports:
        """Every port of the suite."""
        return Ports(self.port_offset)

    @property
    def run_file(self) -> Path:
        """What runs now, as JSON."""
        return self.home / "run.json"

    @property
    def demo_file(self) -> Path:
        """What the latest demo told, as JSON."""
        return self.home / "demo.json"

    @property
    def logs(self) -> Path:
        """Folder of the logs, one file per process."""
        return self.home / "logs"

    @property
    def secrets(self) -> SecretStore:
        """Passwords and keys of the suite."""
        return SecretStore(self.home / "secrets.json")

    @property
    def postgres(self) -> Cluster:
        """The suite's PostgreSQL server."""
        return Cluster(self.home / "postgres", self.ports.postgres, log=self.logs / "postgres.log")

    @property
    def broker(self) -> Broker | None:
        """The suite's own Kafka broker, if it has one."""
        if self.bus != "kafka" or self.kafka_bootstrap is not None:
            return None
        return Broker(self.home / "kafka", self.ports.kafka)

    def log(self, service: str, role: str) -> Path:
        """Log of one process."""
        return self.logs / f"{service}-{role}.log"

    def url(self, service: str) -> str:
        """Base URL of the HTTP API of ``service``."""
        return f"http://127.0.0.1:{self.ports.http(service)}"

    def health_url(self, service: str, role: str) -> str:
        """Where the process answers ``/readyz``."""
        return f"http://127.0.0.1:{self._health_port(service, role)}/readyz"

    def database_url(self, service: str) -> str:
        """The database of ``service`` under its own role."""
        name = database_name(service)
        return self.postgres.url(name, name, self.secrets.password(service))

    def bus_database_url(self, service: str | None = None) -> str:
        """The embedded bus under the role of ``service``, or under the role that owns its tables."""
        if service is None:
            return self.postgres.url(BUS, BUS, self.secrets.password("bus"))
        return self.postgres.url(BUS, database_name(service), self.secrets.password(service))

    def environment(self, service: str, role: str) -> dict[str, str]:
        """The whole environment of one process. The caller's CRM_* variables stand unless set here."""
        variables = {
            name: value
            for name, value in os.environ.items()
            if name in _INHERITED or name.startswith(("CRM_", "OTEL_"))
        }
        for name in HTTP:
            variables[f"CRM_{name.upper()}_URL"] = self.url(name)
            variables[f"CRM_{name.upper()}_BUS_URL"] = self.health_url(name, "bus").removesuffix("/readyz")
        variables |= {
            "CRM_DATABASE_URL": self.database_url(service),
            "CRM_BUS": self.bus,
            "CRM_HOST": "127.0.0.1",
            "CRM_PORT": str(self.ports.http(service)),
            "CRM_HEALTH_PORT": str(self.ports.health(service, role if role in ROLES else "bus")),
            "CRM_PUBLIC_URL": self.url("web"),
            "CRM_SECRET": self.secrets.signing_key(service),
            "CRM_ENVIRONMENT": "local",
            # Nothing takes over from a process here, so nobody is spared an answer that does not come.
            "CRM_WEB_LINGER_SECONDS": "1",
        }
        if self.bus == "kafka":
            broker = self.broker
            variables["CRM_KAFKA_BOOTSTRAP"] = broker.bootstrap if broker else str(self.kafka_bootstrap)
        else:
            variables["CRM_BUS_DATABASE_URL"] = self.bus_database_url(service)
        if service == "identity":
            variables["CRM_ADMIN_CLIENT_ID"] = ADMIN_CLIENT_ID
            variables["CRM_ADMIN_CLIENT_SECRET"] = self.secrets.admin_client_secret()
        if service == "web":
            variables["CRM_DEMO_FILE"] = str(self.demo_file)
        return variables

    # What one can do with it.

    def start(self) -> None:
        """Start everything in the background and return when it is ready; a running suite stays as it is.

        Raises ``LocalProblem`` with the supervisor's last words when it does not come up.
        """
        record = self.record()
        if record is None:
            self.logs.mkdir(parents=True, exist_ok=True)
            spoken = self.logs / "suite.log"
            with spoken.open("wb") as output:
                supervisor = subprocess.Popen(
                    [sys.executable, "-m", "deploy.local", *self._options()],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            self._wait_for_supervisor(supervisor, spoken)
        self.wait_ready()

    def stop(self) -> None:
        """Stop everything cleanly; does nothing when nothing runs."""
        record = self.record()
        supervisor = record.supervisor() if record else None
        if supervisor is not None:
            supervisor.terminate()
            wait_until_gone([supervisor], _STOP_SECONDS)

    def record(self) -> RunRecord | None:
        """What runs now, or None."""
        record = RunRecord.read(self.run_file)
        return record if record and record.supervisor() else None

    def process(self, service: str, role: str) -> ProcessRecord:
        """One process. Raises ``LocalProblem`` when the suite does not run it."""
        record = self.record()
        process = record.find(service, role) if record else None
        if process is None:
            raise LocalProblem(f"{service} {role} is not running.")
        return process

    def kill(self, service: str, role: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process; if it ends, the supervisor starts it again."""
        self.process(service, role).send(number)

    def restart(self, service: str, role: str) -> None:
        """End one process politely and return when its successor is ready."""
        before = self.process(service, role)
        before.send(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.process(service, role).pid == before.pid:
            if time.monotonic() > deadline:
                raise LocalProblem(f"{service} {role} did not end within {_STOP_SECONDS:.0f} s.")
            time.sleep(0.05)
        self.wait_ready(service, role)

    @contextmanager
    def held_down(self, name: str) -> Iterator[None]:
        """Keep ``"<service>-<role>"``, ``"postgres"`` or ``"kafka"`` dead while the block runs."""
        mark = self.held_mark(name)
        mark.parent.mkdir(exist_ok=True)
        mark.touch()
        try:
            if name == "postgres":
                self.postgres.kill()
            elif name == "kafka":
                broker = self.broker
                if broker is not None:
                    broker.kill()
            else:
                service, role = name.rsplit("-", 1)
                self.kill(service, role)
            yield
        finally:
            mark.unlink()

    def held_mark(self, name: str) -> Path:
        """The file that keeps the supervisor from starting ``name`` again."""
        return self.home / "held" / name

    def is_ready(self, service: str, role: str) -> bool:
        """True when the process answers that it is ready."""
        connection = http.client.HTTPConnection("127.0.0.1", self._health_port(service, role), timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def wait_ready(self, service: str | None = None, role: str | None = None, seconds: float = 60.0) -> None:
        """Return when every process (of ``service``, of ``role``) is ready. Raises ``LocalProblem``."""
        waiting = [
            (name, kind)
            for name in self.services
            for kind in ROLES
            if service in (None, name) and role in (None, kind)
        ]
        deadline = time.monotonic() + seconds
        while waiting := [(name, kind) for name, kind in waiting if not self.is_ready(name, kind)]:
            if time.monotonic() > deadline:
                name, kind = waiting[0]
                raise LocalProblem(
                    f"{name} {kind} was not ready within {seconds:.0f} s: {self.log(name, kind)} says why."
                )
            time.sleep(0.05)

    def token(self) -> str:
        """A bearer token of the administrator. Raises ``LocalProblem`` when identity gives none."""
        try:
            answer = httpx.post(
                f"{self.url('identity')}/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(ADMIN_CLIENT_ID, self.secrets.admin_client_secret()),
                timeout=10,
            )
        except httpx.HTTPError as failure:
            raise LocalProblem("Identity does not answer: is the suite running? (`make status`)") from failure
        if answer.status_code != 200:
            raise LocalProblem(f"Identity gave no token: {answer.status_code} {answer.text[:200]}")
        token: str = answer.json()["access_token"]
        return token

    def memory(self) -> dict[str, int]:
        """Bytes of memory by service, and of the servers; shared pages are split among their users (PSS)."""
        record = self.record()
        if record is None:
            return {}
        used = {"supervisor": _pss(record.supervisor(), family=False)}
        for known in record.processes:
            used[known.service] = used.get(known.service, 0) + _pss(known.process())
        servers = {"postgres": self.postgres.pid, "kafka": self.broker.pid if self.broker else None}
        used |= {name: _pss(psutil.Process(pid)) for name, pid in servers.items() if pid}
        return used

    def _health_port(self, service: str, role: str) -> int:
        return self.ports.http(service) if role == "web" else self.ports.health(service, role)

    def _options(self) -> list[str]:
        options = ["--home", str(self.home), "--ports", str(self.port_offset), "--bus", self.bus]
        options += ["--only", ",".join(self.services)]
        return [*options, "--kafka", self.kafka_bootstrap] if self.kafka_bootstrap else options

    def _wait_for_supervisor(self, supervisor: subprocess.Popen[bytes], spoken: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            record = RunRecord.read(self.run_file)
            if record and record.pid == supervisor.pid and record.state == "ready":
                return
            if supervisor.poll() is not None:
                words = spoken.read_text().strip().splitlines()
                raise LocalProblem(words[-1] if words else f"The suite ended with {supervisor.returncode}.")
            if time.monotonic() > deadline:
                supervisor.terminate()
                raise LocalProblem(f"The suite was not ready within {_START_SECONDS:.0f} s: see {self.logs}.")
            time.sleep(0.05)


def choose_services(only: str | None = None) -> tuple[str, ...]:
    """The services of this tree in the order of their ports; with ``only`` (``"sales,erp"``) just those.

    Raises ``LocalProblem`` for a name that is no service.
    """
    here = tuple(name for name in HTTP if (ROOT / "services" / name / "wiring.py").exists())
    wanted = only.split(",") if only else here
    for name in wanted:
        if name not in here:
            raise LocalProblem(f"There is no service {name!r}: choose from {', '.join(here)}.")
    return tuple(name for name in here if name in wanted)


def _pss(process: psutil.Process | None, *, family: bool = True) -> int:
    if process is None:
        return 0
    members = [process, *process.children(recursive=True)] if family else [process]
    total = 0
    for member in members:
        try:
            total += member.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total
