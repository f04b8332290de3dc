"""The fork server: it loads everything once, forks every process of the suite and looks after them."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from deploy.local.children import fork, preload, run_command
from deploy.local.ports import ROLES
from deploy.local.preparation import (
    clear_earlier_run,
    prepare_databases,
    require_free_ports,
    shorten_logs,
    take_home,
)
from deploy.local.problems import LocalProblem
from deploy.local.run_record import ProcessRecord, RunRecord
from deploy.local.seed import seed
from deploy.local.suite import LocalSuite
from shared.messaging import topics

_TICK_SECONDS = 0.2
_STOP_SECONDS = 12.0  # a little more than the processes allow themselves
_READY_SECONDS = 60.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_STEADY_SECONDS = 30.0
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class Stopped(BaseException):
    """Somebody asked the suite to stop: Ctrl-C or SIGTERM."""


@dataclass
class _Child:
    """A process that should run. ``record`` is what runs now; without one, it starts again at ``due``."""

    service: str
    role: str
    record: ProcessRecord | None = None
    starts: int = 0
    started_at: float = 0.0
    failures: int = 0
    due: float = 0.0

    def ended(self) -> None:
        """Note the end of the process, and when to start it again: sooner the steadier it was."""
        steady = time.monotonic() - self.started_at > _STEADY_SECONDS
        self.failures = 0 if steady else self.failures + 1
        self.record = None
        self.due = time.monotonic() + self.pause

    @property
    def pause(self) -> float:
        """Seconds to wait before the next start."""
        return float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self.failures, 10)))


class Supervisor:
    """Runs ``suite`` in this process until it is stopped. ``say`` gets a line for what is worth telling."""

    def __init__(self, suite: LocalSuite, say: Callable[[str], None]) -> None:
        self._suite = suite
        self._say = say
        self._postgres = suite.postgres
        self._broker = suite.broker
        self._children = [_Child(service, role) for service in suite.services for role in ROLES]
        self._jobs: set[int] = set()
        self._server_due: dict[str, float] = {}
        me = psutil.Process()
        self._record = RunRecord(
            pid=me.pid,
            created=me.create_time(),
            state="starting",
            bus=suite.bus,
            port_offset=suite.port_offset,
            kafka_bootstrap=suite.kafka_bootstrap,
            services=suite.services,
        )

    def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call ``ready``, look after it, and stop everything when asked to.

        Raises ``LocalProblem`` when the suite cannot start; whatever had started is stopped by then.
        """
        with ExitStack() as stack:
            stack.enter_context(take_home(self._suite))
            alarm = self._listen_for_signals(stack)
            stack.callback(self._stop_everything)
            try:
                self._start_everything()
                ready()
                self._watch(alarm)
            except Stopped:
                self._say("Stopping ...")
            finally:
                for number in _STOP_SIGNALS:
                    signal.signal(number, signal.SIG_IGN)

    def _listen_for_signals(self, stack: ExitStack) -> socket.socket:
        """Make the end of a child, and every other signal, readable on the returned socket."""
        alarm, bell = socket.socketpair()
        stack.enter_context(alarm)
        stack.enter_context(bell)
        alarm.setblocking(False)
        bell.setblocking(False)
        signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
        stack.callback(signal.set_wakeup_fd, -1)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _STOP_SIGNALS:
            signal.signal(number, _stop)
        return alarm

    # Starting.

    def _start_everything(self) -> None:
        suite = self._suite
        remark = clear_earlier_run(suite)
        if remark:
            self._say(remark)
        require_free_ports(suite)
        shorten_logs(suite)
        self._publish()
        if self._broker is not None:
            self._broker.launch()
        prepare_databases(suite, self._say)
        preload(suite.services)
        if self._broker is not None:
            self._broker.wait()
        jobs = [(service, "migrate", _command(service, "migrate")) for service in suite.services]
        if suite.bus == "kafka":
            jobs.append((suite.services[0], "topics", topics.main))
        self._run_jobs(jobs)
        for child in self._children:
            self._start(child)
        self._wait_until_ready()
        self._seed()
        self._record = replace(self._record, state="ready")
        self._publish()

    def _run_jobs(self, jobs: list[tuple[str, str, Callable[[], int]]]) -> None:
        """Run them side by side; raise ``LocalProblem`` if one fails."""
        running = {self._fork(service, role, work, job=True): (service, role) for service, role, work in jobs}
        for pid, (service, role) in running.items():
            if self._wait_for_job(pid) != 0:
                raise self._could_not(f"The {role} step of {service} failed", self._suite.log(service, role))

    def _seed(self) -> None:
        """Fill a new suite, in a process that may write to the terminal."""
        with _signals_held():
            pid = fork("seed", self._seed_job, environment=dict(os.environ), log=None)
            self._jobs.add(pid)
        if self._wait_for_job(pid) != 0:
            raise LocalProblem("The first data could not be filled in: the lines above say why.")

    def _seed_job(self) -> int:
        seed(self._suite)
        return 0

    def _wait_for_job(self, pid: int) -> int:
        _, status = os.waitpid(pid, 0)
        self._jobs.discard(pid)
        return os.waitstatus_to_exitcode(status)

    def _start(self, child: _Child) -> None:
        with _signals_held():
            pid = self._fork(child.service, child.role, _command(child.service, child.role))
            created = psutil.Process(pid).create_time()
            child.record = ProcessRecord(child.service, child.role, pid, created, child.starts)
            child.starts += 1
            child.started_at = time.monotonic()
            self._record = self._record.with_process(child.record)
        self._publish()

    def _fork(self, service: str, role: str, work: Callable[[], int], *, job: bool = False) -> int:
        suite = self._suite
        with _signals_held():
            pid = fork(
                f"{service}-{role}",
                work,
                environment=suite.environment(service, role),
                log=suite.log(service, role),
            )
            if job:
                self._jobs.add(pid)
        return pid

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        waiting = self._children
        while waiting := [c for c in waiting if not self._suite.is_ready(c.service, c.role)]:
            failed = next((child for child in self._children if self._has_ended(child)), None)
            if failed is None and time.monotonic() > deadline:
                failed = waiting[0]
            if failed is not None:
                what = f"{failed.service} {failed.role} could not start"
                raise self._could_not(what, self._suite.log(failed.service, failed.role))
            time.sleep(0.02)

    def _could_not(self, what: str, log: Path) -> LocalProblem:
        return LocalProblem(f"{what} ({_last_line(log)}): {log} says more.")

    # Looking after.

    def _watch(self, alarm: socket.socket) -> None:
        while True:
            select.select([alarm], [], [], _TICK_SECONDS)
            with suppress(BlockingIOError):
                alarm.recv(4096)
            for child in self._children:
                how = self._has_ended(child)
                if how:
                    self._say(f"{child.service} {child.role} {how}; it starts again in {child.pause:.1f} s.")
                if child.record is None and time.monotonic() > child.due and not self._is_held(child):
                    self._start(child)
            self._keep("postgres", "PostgreSQL", self._postgres)
            if self._broker is not None:
                self._keep("kafka", "Kafka", self._broker)

    def _has_ended(self, child: _Child) -> str | None:
        """How the process of ``child`` ended, or None while it runs."""
        if child.record is None:
            return None
        pid, status = os.waitpid(child.record.pid, os.WNOHANG)
        if pid == 0:
            return None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.record.pid, signal.SIGKILL)  # helpers that it left behind would keep its port
        child.ended()
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with code {code} ({_last_line(self._suite.log(child.service, child.role))})"

    def _is_held(self, child: _Child) -> bool:
        return self._suite.held_mark(f"{child.service}-{child.role}").exists()

    def _keep(self, name: str, title: str, server: Any) -> None:
        """Start ``server`` again when it has died."""
        if server.pid is not None or self._suite.held_mark(name).exists():
            return
        if time.monotonic() < self._server_due.get(name, 0.0):
            return
        try:
            server.start()
            self._say(f"{title} had ended; it runs again.")
        except LocalProblem as problem:
            self._say(str(problem))
            self._server_due[name] = time.monotonic() + _LONGEST_PAUSE

    # Stopping.

    def _stop_everything(self) -> None:
        leaders = {child.record.pid for child in self._children if child.record} | self._jobs
        for pid in leaders:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while leaders := {pid for pid in leaders if os.waitpid(pid, os.WNOHANG) == (0, 0)}:
            if time.monotonic() > deadline:
                for pid in leaders:
                    os.killpg(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                break
            time.sleep(0.02)
        if self._broker is not None:
            self._broker.stop()
        self._postgres.stop()
        self._suite.run_file.unlink(missing_ok=True)

    def _publish(self) -> None:
        self._record.write(self._suite.run_file)


def _command(service: str, command: str) -> Callable[[], int]:
    return lambda: run_command(service, [command])


def _stop(*_: object) -> None:
    raise Stopped


@contextmanager
def _signals_held() -> Iterator[None]:
    """Inside the block nobody can ask the suite to stop: a fork and the note of it belong together."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace")[-4_000:].strip().splitlines() if log.exists() else []
    return lines[-1].strip() if lines else "it said nothing"
