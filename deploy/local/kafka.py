"""A real Apache Kafka broker (KRaft, one node) from Maven Central on Java 17, without containers."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.kafka.properties import PLAIN, SECURED, new_cluster_id, render
from deploy.local.problems import LocalProblem, full_disk_sentence, require_free_disk, require_free_port
from deploy.local.processes import find_in, wait_until_gone

_SOURCE = Path(__file__).parent.parent / "kafka"
_LEAST_JAVA = 17
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_JAVA_OPTIONS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class Security:
    """A folder with `ca.pem` and `kafka.pem` (key and certificate, for 127.0.0.1), the administrator's password, and
    the port at which the broker speaks to itself."""

    certificates: Path
    password: str
    internal_port: int


class Broker:
    """One broker: its data folder, its loopback port (the controller takes the next one). It is open to everybody, or
    with `security` as closed as in production.

    ``data`` survives restarts. The process id is kept in ``data``, so any process may stop the broker.
    """

    def __init__(self, data: Path, port: int, security: Security | None = None) -> None:
        self.data = data.absolute()
        self.port = port
        self._security = security
        self.log = self.data / "broker.log"

    @property
    def bootstrap(self) -> str:
        """Address that clients start from."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker, or None."""
        process = self._process()
        return process.pid if process else None

    def start(self) -> None:
        """Start the broker, formatting its storage the first time; return once it accepts connections.

        Raises ``LocalProblem``: no Java 17 or Maven, port in use, disk full, no start within a minute.
        """
        self.launch()
        self.wait()

    def launch(self) -> None:
        """The first half of ``start``: everything but the waiting."""
        libraries = broker_libraries()
        self.data.mkdir(parents=True, exist_ok=True)
        require_free_disk(self.data)
        self.stop()
        require_free_port(self.port, "Kafka")
        require_free_port(self.port + 1, "Kafka's controller")
        properties = self._write_properties()
        if not (self.data / "log" / "meta.properties").exists():
            self._format(libraries, properties)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [_java(), *_JAVA_OPTIONS, "-cp", f"{libraries}/*", "kafka.Kafka", str(properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.data,
                start_new_session=True,
            )
        (self.data / "broker.pid").write_text(str(process.pid))

    def wait(self) -> None:
        """The second half of ``start``: return once the broker accepts connections."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process() is None:
                raise self._problem()
            if _listens(self.port):
                return
            time.sleep(0.05)
        self.kill()
        raise LocalProblem(f"Kafka did not listen within {_START_SECONDS:.0f} s: {self.log} says why.")

    def stop(self) -> None:
        """Stop cleanly; does nothing when not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker the hard way; acknowledged records are still there after the next start."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the broker hang: connections stay open, nothing answers. ``thaw`` ends it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        self._signal(signal.SIGCONT)

    def _process(self) -> psutil.Process | None:
        return find_in(self.data, self.data / "broker.pid")

    def _signal(self, number: signal.Signals) -> None:
        process = self._process()
        if process is not None:
            process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        process = self._process()
        if process is None:
            return
        process.send_signal(number)
        if not wait_until_gone([process], _STOP_SECONDS):
            process.kill()
            wait_until_gone([process], _STOP_SECONDS)

    def _write_properties(self) -> Path:
        variables = {"data": str(self.data), "port": str(self.port), "controller_port": str(self.port + 1)}
        if self._security is not None:
            variables |= {
                "listen": "127.0.0.1",
                "host": "127.0.0.1",
                "internal_port": str(self._security.internal_port),
                "certificates": str(self._security.certificates),
            }
        properties = self.data / "server.properties"
        properties.write_text(render(SECURED if self._security else PLAIN, variables))
        return properties

    def _format(self, libraries: Path, properties: Path) -> None:
        tool: tuple[str, ...] = (
            "kafka.tools.StorageTool",
            "format",
            "-t",
            new_cluster_id(),
            "-c",
            str(properties),
        )
        if self._security is not None:
            tool += ("--add-scram", f"SCRAM-SHA-512=[name=admin,password={self._security.password}]")
        with self.log.open("ab") as log:
            made = subprocess.run(
                [_java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{libraries}/*", *tool],
                stdout=log,
                stderr=log,
                check=False,
            )
        if made.returncode != 0:
            shutil.rmtree(self.data / "log", ignore_errors=True)
            raise self._problem()

    def _problem(self) -> LocalProblem:
        if "No space left on device" in self.log.read_text(errors="replace")[-8_000:]:
            return LocalProblem(full_disk_sentence(self.data))
        return LocalProblem(f"Kafka could not start: {self.log} says why.")


def broker_libraries() -> Path:
    """Folder with the broker's jars, fetched by Maven once per version and kept in the user's cache.

    Raises ``LocalProblem`` when Java 17 or Maven is missing or Maven cannot fetch.
    """
    _java()
    pom = _SOURCE / "pom.xml"
    found = re.search(r"<kafka.version>(.+)</kafka.version>", pom.read_text())
    assert found is not None, f"{pom} names no version"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crm-suite"
    libraries = cache / f"kafka-{found[1]}" / "libs"
    libraries.parent.mkdir(parents=True, exist_ok=True)
    with (libraries.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libraries.exists():
            _fetch(pom, libraries)
    return libraries


def _fetch(pom: Path, libraries: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalProblem("Maven 3 (`mvn`), which fetches Kafka's broker, is not installed.")
    partial = libraries.with_name("libs.new")
    shutil.rmtree(partial, ignore_errors=True)
    fetched = subprocess.run(
        [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={partial}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if fetched.returncode != 0:
        lines = [line for line in (fetched.stdout + fetched.stderr).splitlines() if "ERROR" in line]
        reason = lines[0] if lines else "no reason given"
        raise LocalProblem(f"Maven could not fetch Kafka's broker: {reason}")
    partial.rename(libraries)


def _java() -> str:
    java = shutil.which("java")
    if java is not None:
        banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', banner)
        if version and int(version[1]) >= _LEAST_JAVA:
            return java
    raise LocalProblem(f"Java {_LEAST_JAVA} or newer, which Kafka's broker needs, is not installed.")


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
