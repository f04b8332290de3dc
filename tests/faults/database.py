"""Faults 12 to 15, 24, 25 and 31: a database that restarts, cuts sessions, fills up, or is an older one."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

from deploy.local.postgres import Cluster
from deploy.local.problems import free_port
from tests.faults.lab import SETTINGS, prepare
from tests.faults.machine import filled_later, small_disk
from tests.faults.registry import fault
from tests.faults.trees import without_leader
from tests.faults.world import World
from tests.faults.writers import Writer


def _restart(world: World, how: str) -> None:
    cluster = world.lab.cluster
    with world.load(patience=40.0 if world.long else 10.0):
        for _ in range(3 if world.long else 1):
            world.wait_heard(20)
            if how == "fast":
                cluster.stop()
            elif how == "immediate":
                assert cluster.pid is not None
                os.kill(cluster.pid, signal.SIGQUIT)
                cluster.stop()
            else:
                cluster.kill()
            time.sleep(0.5)
            cluster.start()
            world.reconnect()
            world.healed()
            world.wait_answered(20)
    world.verdict()
    if world.long:
        world.expect(
            world.recovery <= 15, f"it took {world.recovery:.0f} s until a new leader had drained the outbox"
        )


@fault(12, "postgres-fast-restart", "PostgreSQL is restarted, sessions are cut (-m fast)")
def _fast(world: World) -> None:
    _restart(world, "fast")


@fault(12, "postgres-immediate-restart", "PostgreSQL is stopped without a checkpoint (-m immediate)")
def _immediate(world: World) -> None:
    _restart(world, "immediate")


@fault(12, "postgres-killed", "every process of PostgreSQL is killed")
def _killed(world: World) -> None:
    _restart(world, "kill")


@fault(
    13,
    "relay-session-cut",
    "the relay's lock session is terminated in mid-batch, a second relay waits",
    relays=2,
)
def _relay_session_cut(world: World) -> None:
    chance = random.Random(world.seed)
    database = world.writer_url.rsplit("/", 1)[-1]
    cut = 0
    with world.load(), world.server() as server:
        world.wait_heard(20)
        for _ in range(30 if world.long else 8):
            time.sleep(chance.uniform(0.1, 0.6))
            cut += server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity a JOIN pg_locks l USING (pid)"
                " WHERE a.datname = %s AND a.application_name = 'relay' AND l.locktype = 'advisory'",
                (database,),
            ).rowcount
    world.healed()
    world.expect(cut > 1, "no relay was ever leading")


@fault(
    13,
    "two-relays-and-a-backlog",
    "two relays start at once when many facts of few purses have piled up",
    relays=2,
)
def _two_relays_and_a_backlog(world: World) -> None:
    relays = [member for member in world.members if (member.service, member.role) == ("erp", "bus")]
    with world.load():
        world.wait_heard(20)
    for relay in relays:
        world.hold(relay)
    world.pause = 0.0
    with world.load(http=4, sql=2):
        world.wait_answered(1_000 if world.long else 300)
    for relay in relays:
        world.revive(relay)
    world.healed()


@fault(14, "two-leaders", "two relays lead at once: the lock is taken out of their code", starts=False)
def _two_leaders(world: World) -> None:
    world.tree = without_leader(world.folder / "tree")
    world.start(relays=2)
    with world.load():
        world.wait_heard(400 if world.long else 100)
    world.healed()
    world.expect(world.verdict().repeats > 0, "nothing was sent twice, so the fault was none")


@fault(15, "database-disk-full", "the database's disk fills up", ("postgres",), starts=False)
def _database_disk_full(world: World) -> None:
    with small_disk(world.folder / "disk", 512) as disk:
        settings = {**SETTINGS, "max_wal_size": "64MB", "restart_after_crash": "on"}
        cluster = Cluster(
            disk / "postgres", free_port(), log=world.folder / "postgres.log", settings=settings
        )
        cluster.start()
        prepare(cluster)
        world.lab = world.lab.with_servers(cluster=cluster)
        try:
            world.start()
            with world.load(patience=40.0 if world.long else 10.0):
                world.wait_heard(20)
                before = world.refused()
                with filled_later(disk) as fill:
                    fill()
                    world.eventually(lambda: world.refused() > before, "no write was refused on a full disk")
                    time.sleep(30 if world.long else 2)
                # A server that could not write its log has given up; whoever runs it starts it again.
                if cluster.pid is None:
                    cluster.start()
                world.reconnect()
                world.healed()
                world.wait_answered(20)
            world.verdict()
            world.stop()
        finally:
            world.lab.bus_proxy.shut()
            cluster.kill()


@fault(24, "long-transaction", "a transaction holds its outbox row for half a minute while others commit")
def _long_transaction(world: World) -> None:
    with world.load():
        world.wait_heard(20)
        (slow,) = world.writers(0, 1)
        slow.hold = 30.0 if world.long else 3.0
        thread = threading.Thread(target=slow.create)
        thread.start()
        while thread.is_alive():
            # What is committed meanwhile is not held up.
            world.wait_heard(5)
        thread.join()
        world.healed()


@fault(25, "hundred-writers", "a hundred writers change one purse at once")
def _hundred_writers(world: World) -> None:
    (first, *others) = world.writers(100, 0)
    first.create()
    (purse,) = world.purses
    together = threading.Barrier(len(others))
    told: list[str] = []

    def race(writer: Writer, version: int | None) -> None:
        together.wait(30)
        told.append(writer.deposit(purse, version))

    for version in (1, None):
        told.clear()
        threads = [threading.Thread(target=race, args=(writer, version)) for writer in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        if version is not None:
            counts = (told.count("ok"), told.count("fail"))
            world.expect(counts == (1, len(others) - 1), f"of one version (changed, refused) were {counts}")
    world.expect("ok" in told, "nobody ever won")
    world.healed()


@fault(31, "older-backup", "the reader's database is restored from a backup that is older than the log")
def _older_backup(world: World) -> None:
    reader = world.find("sales", "bus")
    with world.load():
        world.wait_heard(50)
        world.hold(reader)
        _copy(world, "reader", "backup")
        world.revive(reader)
        world.wait_heard(50)
        world.hold(reader)
        _copy(world, "backup", "reader")
        world.lab.drop_database(f"{world.name}_backup")
        # Its offsets are ahead of what it knows, so it is told again before it hears anything new.
        world.replay()
        world.revive(reader)
        world.wait_ready(reader)
        world.healed()


def _copy(world: World, source: str, target: str) -> None:
    world.reader.database.close()
    names = [f"{world.name}_{source}", f"{world.name}_{target}"]
    world.lab.drop_database(names[1])
    world.cut_sessions(names[0])
    world.lab.make_database(names[1], names[0])
