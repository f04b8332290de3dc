"""A whole suite whose processes are started one by one, from two versions of the code, behind balancers."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import psutil

from deploy.local.ports import ROLES
from deploy.local.postgres import Cluster
from deploy.local.preparation import prepare_databases
from deploy.local.problems import free_port
from deploy.local.processes import is_running, wait_until_gone
from deploy.local.seed import seed
from deploy.local.suite import ROOT, LocalSuite
from shared.contracts.catalog import Catalog
from shared.messaging.topics import create_topics
from tests.faults.lab import SETTINGS, Nursery
from tests.faults.rolling.balancer import Balancer

__all__ = ["Fleet", "Member", "RollingSuite"]

_READY_SECONDS = 120.0
_STOP_SECONDS = 30.0
_DRAIN_SECONDS = 1.0
"""What a manifest's `preStop` is for: connections that are on their way arrive. On one machine a second is much."""

_HANDLED = re.compile(r'^crm_handler_duration_seconds_count\{.*outcome="done".*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class RollingSuite(LocalSuite):
    """A suite on a server that holds the sessions of two versions side by side."""

    @property
    def postgres(self) -> Cluster:
        settings = {**SETTINGS, "max_connections": "500"}
        return Cluster(
            self.home / "postgres", self.ports.postgres, log=self.logs / "postgres.log", settings=settings
        )


@dataclass(frozen=True)
class Member:
    """A process. `tree` is the code that it runs."""

    service: str
    role: str
    tree: Path
    port: int
    health_port: int
    log: Path
    process: psutil.Process

    @property
    def door(self) -> int:
        """The port that callers come to."""
        return self.port if self.role == "web" else self.health_port

    def is_ready(self) -> bool:
        """Whether it says so."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.door}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def last_words(self) -> str:
        """Its name, and the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines()[-3:] if self.log.exists() else []
        return f"{self.log.stem} ({' | '.join(lines) or 'it said nothing'})"

    def handled(self) -> int:
        """How many facts it has handled, as its metrics say."""
        page = httpx.get(f"http://127.0.0.1:{self.health_port}/metrics", timeout=10).text
        return sum(int(float(count)) for count in _HANDLED.findall(page))


class Fleet:
    """`suite` with all its services. What stands at its addresses are balancers."""

    def __init__(self, suite: LocalSuite) -> None:
        self.suite = suite
        self.members: list[Member] = []
        self.ended_badly: list[str] = []
        """What did not end when it was asked to, or before."""
        self._nurseries: dict[Path, Nursery] = {}
        self._balancers = {
            (service, role): Balancer(
                suite.ports.http(service) if role == "web" else suite.ports.health(service, role)
            )
            for service in suite.services
            for role in ROLES
        }
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            self._send(member, signal.SIGTERM)
        wait_until_gone([member.process for member in self.members], _STOP_SECONDS)
        for member in self.members:
            self._send(member, signal.SIGKILL)
        for nursery in self._nurseries.values():
            nursery.stop()
        for balancer in self._balancers.values():
            balancer.shut()
        if self.suite.broker is not None:
            self.suite.broker.kill()
        self.suite.postgres.stop()

    def start(self) -> None:
        """Start all services from this version, with the small company to work with."""
        suite = self.suite
        suite.logs.mkdir(parents=True, exist_ok=True)
        if suite.broker is not None:
            suite.broker.launch()
        prepare_databases(suite, lambda _: None)
        self.prepare(ROOT)
        if suite.broker is not None:
            suite.broker.wait()
            create_topics(suite.broker.bootstrap, Catalog.load().topics.values(), "local")
        self.migrate(ROOT)
        for balancer in self._balancers.values():
            balancer.start()
        for role in ROLES:
            self.join(suite.services, role, ROOT)
        seed(suite)

    def prepare(self, tree: Path) -> None:
        """Load the code in `tree`."""
        self._nurseries[tree] = Nursery(tree, self.suite.services)

    def migrate(self, tree: Path) -> None:
        """Bring every database to the version in `tree`. A process of it that is not ready tells of a failure."""
        jobs = [self._fork(service, "migrate", tree) for service in self.suite.services]
        wait_until_gone([job.process for job in jobs], _READY_SECONDS)

    def join(self, services: Iterable[str], role: str, tree: Path) -> None:
        """Start a process of `role` for each of `services` from the code in `tree`, beside what runs; as soon as it is
        ready, callers come to it."""
        waiting = [self._fork(service, role, tree) for service in services]
        self.members += waiting
        deadline = time.monotonic() + _READY_SECONDS
        while waiting:
            for member in [each for each in waiting if each.is_ready()]:
                self._balancers[member.service, member.role].add(member.door)
                waiting.remove(member)
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready: {', '.join(each.last_words() for each in waiting)}")
            time.sleep(0.05)

    def leave(self, services: Iterable[str], tree: Path) -> None:
        """Send nobody to the processes of `services` from the code in `tree` any more, and end them."""
        leaving = self.find(services, tree)
        for member in leaving:
            self._balancers[member.service, member.role].remove(member.door)
        time.sleep(_DRAIN_SECONDS)
        for member in leaving:
            if not self._send(member, signal.SIGTERM):
                self.ended_badly.append(f"{member.last_words()} ended by itself")
        if not wait_until_gone([member.process for member in leaving], _STOP_SECONDS):
            left = [each.last_words() for each in leaving if is_running(each.process)]
            self.ended_badly += [f"{words} did not end within {_STOP_SECONDS:.0f} s" for words in left]
        self.members = [each for each in self.members if each not in leaving or is_running(each.process)]

    def find(self, services: Iterable[str], tree: Path, role: str | None = None) -> list[Member]:
        """The processes of `services` that run the code in `tree`."""
        wanted = set(services)
        return [
            each
            for each in self.members
            if each.service in wanted and each.tree == tree and role in (None, each.role)
        ]

    def _send(self, member: Member, number: signal.Signals) -> bool:
        try:
            member.process.send_signal(number)
        except psutil.NoSuchProcess:
            return False
        return True

    def _fork(self, service: str, role: str, tree: Path) -> Member:
        self._started += 1
        log = self.suite.logs / f"{service}-{role}-{self._started}.log"
        port, health_port = free_port(), free_port()
        environment = self.suite.environment(service, role) | {
            "CRM_PORT": str(port),
            "CRM_HEALTH_PORT": str(health_port),
            # As long as a process of production does.
            "CRM_WEB_LINGER_SECONDS": "6",
            # All callers come from one address here.
            "CRM_RATE_LIMIT": "100000/second",
            "CRM_PUBLIC_RATE_LIMIT": "100000/minute",
        }
        pid = self._nurseries[tree].start(service, role, environment, log)
        return Member(service, role, tree, port, health_port, log, psutil.Process(pid))
