"""A ledger at work: its processes on databases of their own, its writers, and what is found out afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from deploy.local.problems import free_port
from deploy.local.processes import is_running, wait_until_gone
from deploy.local.suite import ROOT
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import Transport
from shared.service import Runtime
from shared.settings import Settings
from shared.testing.tokens import ISSUER, mint
from tests.faults.checker import Verdict, check
from tests.faults.kafka_groups import KafkaGroups
from tests.faults.lab import Lab
from tests.faults.ledger import PERMISSION, READER, TROUBLES, WRITER
from tests.faults.records import Records
from tests.faults.writers import History, HttpWriter, SqlWriter, Writer, all_of
from tests.shared.ledger import TOPIC

__all__ = ["PATIENCE", "Member", "NeverQuiet", "World"]

PATIENCE = 60.0
"""Seconds after which everything must have had its effect, counted from the end of the fault."""

_START_SECONDS = 60.0
_STOP_SECONDS = 25.0
_LEAVE_SECONDS = 5.0
_DRAIN_SECONDS = 0.5
_SECRET = "a secret of this proof only"
_INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV")


class NeverQuiet(AssertionError):
    """Something was still on its way when the patience was over."""


@dataclass
class Member:
    """A process of the ledger, and how to start it again."""

    service: str
    role: str
    environment: Mapping[str, str]
    log: Path
    tree: Path
    process: psutil.Process
    starts: int = 1
    held: bool = False

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.service}-{self.role}"

    @property
    def ready_url(self) -> str:
        """Where it says that it is ready."""
        port = self.environment["CRM_PORT" if self.role == "web" else "CRM_HEALTH_PORT"]
        return f"http://127.0.0.1:{port}/readyz"

    def send(self, number: signal.Signals) -> None:
        """Send a signal; one that is gone hears nothing."""
        with suppress(psutil.NoSuchProcess):
            self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would, with the processes that it made."""
        with suppress(psutil.NoSuchProcess):
            family = [self.process, *self.process.children(recursive=True)]
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            wait_until_gone(family, _STOP_SECONDS)


@dataclass
class World:
    """`seed` decides what writers do and when faults strike; `long` faults last as long as the promise speaks of."""

    lab: Lab
    transport: str
    seed: int
    tree: Path = ROOT
    long: bool = False
    pause: float = 0.01
    members: list[Member] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    """What a fault's own assertions found wrong."""
    recovery: float = 0.0

    def __post_init__(self) -> None:
        self.name = f"w{time.monotonic_ns()}"
        self.folder = self.lab.folder / self.name
        self.folder.mkdir()
        self.history = History(self.folder / "history.jsonl")
        self.purses: list[str] = []
        self.http: list[HttpWriter] = []
        self._healed_at = 0.0
        self._verdict: Verdict | None = None
        self._over = threading.Event()
        self._lock = threading.RLock()

    # Starting and ending.

    def start(self, readers: int = 1, relays: int = 1) -> None:
        """Start the ledger: web and bus of the writing service, bus of the reading one."""
        self.writer_url = self.lab.make_database(f"{self.name}_writer", "ledger")
        self.reader_url = self.lab.make_database(f"{self.name}_reader", "ledger")
        self.bus_url = ""
        if self.transport == "kafka":
            self.groups.start_afresh()
        else:
            self.bus_url = self.lab.make_database(f"{self.name}_bus", "bus")
        self.writer = self._runtime("erp", self.writer_url)
        self.reader = self._runtime("sales", self.reader_url)
        self.records = Records(
            self.writer,
            self.reader,
            self.bus,
            self.bus_url,
            self.groups if self.transport == "kafka" else None,
        )
        self.door = self.launch("erp", "web")
        for _ in range(relays):
            self.launch("erp", "bus")
        for _ in range(readers):
            self.launch("sales", "bus")
        threading.Thread(target=self._look_after, daemon=True).start()
        self.wait_ready()

    def stop(self) -> None:
        """End everything that was started, and forget it; once."""
        if self._over.is_set():
            return
        self._over.set()
        with self._lock:
            for member in self.members:
                member.send(signal.SIGCONT)
                # A member that leaves its group politely is not waited for by the next one.
                member.send(signal.SIGTERM)
            wait_until_gone([member.process for member in self.members], _LEAVE_SECONDS)
            for member in self.members:
                member.kill()
        self.history.close()
        if "writer" in self.__dict__:
            self.writer.database.close()
            self.reader.database.close()
        for part in ("writer", "reader", "bus"):
            self.lab.drop_database(f"{self.name}_{part}")

    def launch(self, service: str, role: str, tree: Path | None = None, **environment: str) -> Member:
        """Start one more process."""
        settings = self._environment(service) | environment
        log = self.folder / f"{service}-{role}-{len(self.members)}.log"
        tree = tree or self.tree
        member = Member(service, role, settings, log, tree, self._fork(service, role, settings, log, tree))
        with self._lock:
            self.members.append(member)
        return member

    def dismiss(self, member: Member) -> None:
        """Look after a process no longer; it goes on until it ends."""
        with self._lock:
            self.members.remove(member)

    def find(self, service: str, role: str) -> Member:
        """The first process of that service and role."""
        return next(each for each in self.members if (each.service, each.role) == (service, role))

    def doom(self, service: str, role: str, point: str) -> Member:
        """Replace a process by one that dies at a crash point; its successor lives. The doomed one."""
        member = self.find(service, role)
        self.hold(member)
        environment = {**member.environment, "CRM_CRASH_AT": point}
        member.process = self._fork(service, role, environment, member.log, member.tree)
        return member

    def revive(self, member: Member) -> None:
        """Start a process that was held down, or has died while nobody was to start it again."""
        with self._lock:
            member.process = self._fork(
                member.service, member.role, member.environment, member.log, member.tree
            )
            member.starts += 1
            member.held = False

    def wait_dead(self, member: Member, seconds: float = 60.0) -> bool:
        """Wait for a process to end by itself."""
        return wait_until_gone([member.process], seconds)

    def wait_crashed(self, member: Member) -> None:
        """Wait for a doomed process to die, or the worker of a web server that answers for it."""
        if member.role == "web":
            self.eventually(lambda: _answers(member.ready_url), f"{member.log} says why it is not up")
            workers = member.process.children()
            self.expect(wait_until_gone(workers, _START_SECONDS), "no worker came to the crash point")
            member.kill()
        else:
            self.expect(self.wait_dead(member, _START_SECONDS), "the process never came to the crash point")

    def wait_ready(self, *members: Member) -> None:
        """Wait until processes (all of them) say that they are ready."""
        for member in members or tuple(self.members):
            self.eventually(
                lambda member=member: _answers(member.ready_url), f"{member.log} says why it is not up"
            )

    def eventually(self, condition: Callable[[], Any], says: str, seconds: float = _START_SECONDS) -> Any:
        """The first truthy result of `condition`. Raises NeverQuiet with `says` when there is none in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            result = condition()
            if result:
                return result
            time.sleep(0.05)
        raise NeverQuiet(says)

    def _look_after(self) -> None:
        """Start again what died, as a supervisor does."""
        while not self._over.wait(0.1):
            with self._lock:
                for member in self.members:
                    if not member.held and not self._over.is_set() and not is_running(member.process):
                        self.revive(member)

    def _fork(
        self, service: str, role: str, environment: Mapping[str, str], log: Path, tree: Path
    ) -> psutil.Process:
        return psutil.Process(self.lab.nursery(tree).start(service, role, environment, log))

    def _environment(self, service: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        settings = {
            "CRM_DATABASE_URL": self.writer_url if service == "erp" else self.reader_url,
            "CRM_BUS": self.transport,
            "CRM_PORT": str(free_port()),
            "CRM_HEALTH_PORT": str(free_port()),
            "CRM_IDENTITY_URL": ISSUER,
            "CRM_JWKS_FILE": str(self.lab.jwks),
            "CRM_SECRET": _SECRET,
            "CRM_RATE_LIMIT": "100000/second",
            "CRM_WEB_THREADS": "12",
        }
        if self.transport == "kafka":
            return {**inherited, **settings, "CRM_KAFKA_BOOTSTRAP": self.lab.broker.bootstrap}
        return {**inherited, **settings, "CRM_BUS_DATABASE_URL": self._proxied_bus_url}

    @property
    def _proxied_bus_url(self) -> str:
        return self.bus_url.replace(f":{self.lab.cluster.port}/", f":{self.lab.bus_proxy.listen}/")

    def _runtime(self, service: str, url: str) -> Runtime:
        settings = Settings(
            service=service, database_url=url, bus="postgres", bus_database_url=url, secret=_SECRET
        )
        return Runtime.start({"erp": WRITER, "sales": READER}[service], settings, role="writers")

    # Work, and its end.

    @property
    def bus(self) -> Transport:
        """The broker as the proof itself uses it."""
        if self.transport == "kafka":
            from shared.messaging.kafka import KafkaBus

            return KafkaBus(self.lab.broker.bootstrap)
        return PostgresBus(self.bus_url)

    @property
    def groups(self) -> KafkaGroups:
        """Kafka's topics and groups."""
        return KafkaGroups(self.lab.broker.bootstrap)

    def url(self) -> str:
        """Base URL of the writing service: of its web process that writers are sent to."""
        return f"http://127.0.0.1:{self.door.environment['CRM_PORT']}"

    def refused(self) -> int:
        """How many requests were answered with 5xx."""
        return sum(writer.refused for writer in self.http)

    def unanswered(self) -> int:
        """How many requests got no answer at all."""
        return sum(writer.unanswered for writer in self.http)

    @contextmanager
    def load(self, http: int = 2, sql: int = 1, patience: float = 30.0) -> Iterator[None]:
        """While the block lasts, that many writers move money over HTTP and by SQL."""
        ended = threading.Event()
        writers = self.writers(http, sql, patience)
        if not self.purses:
            for _ in range(6):
                writers[0].create()
        threads, died = all_of(writers, ended.is_set)
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join(patience + 15)
        if died:
            raise died[0]

    def writers(self, http: int, sql: int, patience: float = 30.0) -> list[Writer]:
        """That many new writers, who have not begun."""
        first = len(self.http)
        given = (self.purses, self.history, self.pause)
        self.http += [
            HttpWriter(self.url, _token, patience, f"http{first + n}", self.seed, *given) for n in range(http)
        ]
        return [
            *self.http[first:],
            *(SqlWriter(self.writer, f"sql{first}.{n}", self.seed, *given) for n in range(sql)),
        ]

    def wait_answered(self, count: int, seconds: float = 60.0) -> None:
        """Wait until writers have been answered that many times from now on."""
        since = time.monotonic()
        self.eventually(
            lambda: self.history.answered_since(since) >= count, "writers are not answered any more", seconds
        )

    def wait_heard(self, count: int, seconds: float = 60.0) -> None:
        """Wait until that many effects more have been made."""
        before = self.records.effects_made()
        self.eventually(
            lambda: self.records.effects_made() >= before + count, "nothing is heard any more", seconds
        )

    def healed(self) -> None:
        """The fault is over: the time of recovery begins."""
        self._healed_at = time.monotonic()

    def verdict(self) -> Verdict:
        """Wait, the first time, until nothing is on its way any more, and check. Raises NeverQuiet."""
        if self._verdict is not None:
            return self._verdict
        self._healed_at = self._healed_at or time.monotonic()
        quiet = 0
        while quiet < 2:
            waiting = self.records.on_its_way()
            quiet = 0 if waiting else quiet + 1
            if not waiting and quiet == 1:
                self.recovery = time.monotonic() - self._healed_at
            if waiting and time.monotonic() - self._healed_at > PATIENCE:
                raise NeverQuiet(f"after {PATIENCE:.0f} s there are still {waiting}")
            time.sleep(0.2)
        self.evidence = self.records.gather(self.history.operations())
        self._verdict = check(self.evidence)
        return self._verdict

    def conclude(self, verdict: Verdict, recovery: float) -> None:
        """What a fault that ran something else than the ledger found out there."""
        self._verdict, self.recovery = verdict, recovery

    def look(self) -> Verdict:
        """Check what is there now, whether or not something is on its way. Nothing where nothing can be read."""
        try:
            self.evidence = self.records.gather(self.history.operations())
        except Exception:
            return Verdict()
        return check(self.evidence)

    def report(self, verdict: Verdict) -> list[str]:
        """What was found wrong, and everything that is known of the first key that it concerns."""
        lines = [f"seed {self.seed}, {self.transport}", *self.extra, *verdict.findings()[:20]]
        if verdict.offender is not None:
            lines += self.evidence.history(verdict.offender)
        return lines

    # What faults do.

    def expect(self, holds: bool, says: str) -> None:
        """A fault's own assertion; what does not hold makes the result red."""
        if not holds:
            self.extra.append(says)

    def trouble(self, subject: str, *, seconds: float = 0.0, fails: bool = False) -> None:
        """Let the reader's handler be slow with a subject's facts, or fail on them; without either, no longer."""
        with self.reader.database.session() as session, session.begin():
            session.execute(TROUBLES.delete().where(TROUBLES.c.subject == subject))
            if seconds or fails:
                session.execute(TROUBLES.insert().values(subject=subject, seconds=seconds, fails=fails))

    def reconnect(self) -> None:
        """Forget the proof's own connections, which a restarted server knows nothing of."""
        for runtime in (self.writer, self.reader):
            runtime.database.close()

    def cut_sessions(self, url: str) -> None:
        """Terminate every session of a database."""
        with self.server() as server:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (url.rsplit("/", 1)[-1],),
            )

    def replay(self) -> None:
        """Let an operator tell the reader again what the bus holds and it does not know."""
        subprocess.run(
            [sys.executable, "-m", "tests.faults.ledger", "sales", "replay", "--topic", TOPIC],
            cwd=self.tree,
            env=dict(self.find("sales", "bus").environment),
            check=True,
            capture_output=True,
            timeout=120,
        )

    def rewind(self) -> None:
        """Let the reader's group begin at the oldest record again. It must have no members."""
        if self.transport == "kafka":
            self.groups.rewind()
            return
        with psycopg.connect(self.bus_url) as log:
            log.execute("UPDATE group_offsets SET position = 0 WHERE consumer_group = 'crm.sales'")

    def hold(self, member: Member) -> None:
        """Stop a process politely and keep it stopped until it is revived."""
        member.held = True
        if member.role == "web":
            # As a gateway does it: nobody is sent there any more, and who is on the way arrives.
            time.sleep(_DRAIN_SECONDS)
        member.send(signal.SIGTERM)
        self.expect(self.wait_dead(member, _STOP_SECONDS), f"{member.name} did not stop when it was asked to")

    def server(self) -> psycopg.Connection[Any]:
        """A connection of the server's administrator."""
        return psycopg.connect(self.lab.cluster.url("postgres"), autocommit=True)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


# The same for every token: a repeated request is known by its key and by who asks.
_WRITER = uuid.uuid4()
_minted: tuple[float, str] = (0.0, "")


def _token() -> str:
    """An access token that is good for some minutes more."""
    global _minted
    if time.monotonic() - _minted[0] > 240 or not _minted[1]:
        _minted = (time.monotonic(), mint(_WRITER, {PERMISSION: "all"}))
    return _minted[1]
