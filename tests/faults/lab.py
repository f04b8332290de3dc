"""The servers of a run: a PostgreSQL and a Kafka of its own behind proxies, and the nursery of its processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from deploy.local.kafka import Broker, broker_libraries
from deploy.local.postgres import DURABLE, Cluster
from deploy.local.problems import LocalProblem, free_port
from deploy.local.suite import ROOT
from shared.db.engine import Database
from shared.db.migrations import migrate
from shared.messaging.postgres_bus import create_log
from shared.testing.tokens import jwks_file
from tests.faults.ledger import Base
from tests.faults.proxy import Proxy

__all__ = ["SETTINGS", "Lab", "NotHere", "Nursery", "ProxiedBroker", "make_broker", "prepare"]

ROLE = "ledger"
PASSWORD = "ledger"

# A server that is killed keeps what it has said yes to; only a power cut would need the disk as well.
SETTINGS = {**DURABLE, "fsync": "off", "scram_iterations": "1", "autovacuum_naptime": "60s"}
_MEMORY = Path("/dev/shm")
_NEEDED_BYTES = 3 * 2**30


class NotHere(Exception):
    """The fault cannot be done on this machine; the message says why."""


class ProxiedBroker(Broker):
    """A broker that names a proxy as its address, so that its clients reach it through that alone."""

    def __init__(self, data: Path, port: int) -> None:
        super().__init__(data, port)
        self.proxy = Proxy(free_port(), port)

    @property
    def bootstrap(self) -> str:
        """Address that clients start from: the proxy's."""
        return f"127.0.0.1:{self.proxy.listen}"

    def _write_properties(self) -> Path:
        properties = super()._write_properties()
        text = properties.read_text()
        own = f"advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}"
        assert own in text
        properties.write_text(text.replace(own, f"advertised.listeners=PLAINTEXT://{self.bootstrap}"))
        return properties


class Nursery:
    """The process that forks the ledger's processes, or those of the suite's `services`, from the code in `tree`."""

    def __init__(self, tree: Path, services: Sequence[str] = ()) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", *services],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def start(self, service: str, role: str, environment: Mapping[str, str], log: Path) -> int:
        """Start a process; its id."""
        asked = {"service": service, "role": role, "environment": dict(environment), "log": str(log)}
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            return int(self._expect(None))

    def _expect(self, word: str | None) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        if not answer or word not in (None, answer):
            raise RuntimeError(f"the nursery said {answer!r}")
        return answer

    def stop(self) -> None:
        """End it, and with it every process that it started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


class Lab:
    """Servers for one run, in a folder of their own. What a fault does not ask for is not started."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="crm-faults-", dir=_base()))
        # PostgreSQL may run as another account.
        self.folder.chmod(0o711)
        self._nurseries: dict[Path, Nursery] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for nursery in self._nurseries.values():
            nursery.stop()
        if "bus_proxy" in self.__dict__:
            self.bus_proxy.shut()
        if "cluster" in self.__dict__:
            self.cluster.stop()
        if "broker" in self.__dict__:
            self.broker.proxy.shut()
            self.broker.thaw()
            self.broker.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @cached_property
    def jwks(self) -> Path:
        """The file with the key that tokens are verified with."""
        return jwks_file(self.folder)

    @cached_property
    def cluster(self) -> Cluster:
        """The PostgreSQL server, with a template of each kind of database."""
        cluster = Cluster(
            self.folder / "postgres", free_port(), log=self.folder / "postgres.log", settings=SETTINGS
        )
        cluster.start()
        prepare(cluster)
        return cluster

    @cached_property
    def bus_proxy(self) -> Proxy:
        """The way to the embedded bus's database."""
        proxy = Proxy(free_port(), self.cluster.port)
        proxy.start()
        return proxy

    @cached_property
    def broker(self) -> ProxiedBroker:
        """The Kafka broker. Raises NotHere."""
        broker = make_broker(self.folder / "kafka")
        broker.start()
        broker.proxy.start()
        return broker

    def with_servers(self, **servers: Cluster | ProxiedBroker) -> Lab:
        """The same lab with another `cluster` or `broker`, which its maker ends."""
        other = copy(self)
        if "cluster" in servers:
            other.__dict__.pop("bus_proxy", None)
        other.__dict__.update(servers)
        return other

    def nursery(self, tree: Path = ROOT) -> Nursery:
        """The nursery that forks from the code in `tree`."""
        if tree not in self._nurseries:
            self._nurseries[tree] = Nursery(tree)
        return self._nurseries[tree]

    def close_nursery(self, tree: Path) -> None:
        """End the nursery of `tree`, if there is one."""
        nursery = self._nurseries.pop(tree, None)
        if nursery is not None:
            nursery.stop()

    def url(self, database: str) -> str:
        """The database for the ledger's own role."""
        return self.cluster.url(database, ROLE, PASSWORD)

    def make_database(self, name: str, template: str) -> str:
        """A new database that is a copy of `template` (ledger, bus); its URL."""
        with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy").format(
                    *map(sql.Identifier, (name, ROLE, template))
                )
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever uses it."""
        with psycopg.connect(self.cluster.url("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def prepare(cluster: Cluster) -> None:
    """Make the ledger's role and the templates that databases are copied from."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(PASSWORD))
        )
        for name in ("ledger", "bus"):
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(ROLE))
            )
    url = cluster.url("ledger", ROLE, PASSWORD)
    migrate(url, None)
    database = Database.connect(url, application="faults")
    Base.metadata.create_all(database.engine)
    database.close()
    create_log(cluster.url("bus", ROLE, PASSWORD))


def make_broker(data: Path) -> ProxiedBroker:
    """A broker with its data in `data`, not yet started. Raises NotHere."""
    try:
        broker_libraries()
    except LocalProblem as problem:
        raise NotHere(str(problem)) from problem
    return ProxiedBroker(data, free_port(2))


def _base() -> Path:
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _NEEDED_BYTES:
        return _MEMORY
    return Path(tempfile.gettempdir())
