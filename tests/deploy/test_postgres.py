"""The PostgreSQL of the embedded deployment: durable, closed, and clear about what is wrong."""

import os
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres import Cluster
from deploy.local.problems import LocalProblem, free_port
from deploy.postgres.databases import provision, provision_bus

PASSWORDS = {"sales": "a-sales", "identity": "an-identity"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    server = Cluster(tmp_path / "postgres", free_port(), log=tmp_path / "postgres.log")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def provisioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("provisioned")
    server = Cluster(home / "postgres", free_port(), log=home / "postgres.log")
    server.start()
    provision(server, ["sales", "identity"], PASSWORDS)
    provision_bus(server, ["sales", "identity"], "a-bus")
    with psycopg.connect(server.url("crm_bus", "crm_bus", "a-bus")) as owner:
        owner.execute("CREATE TABLE log (position bigint GENERATED ALWAYS AS IDENTITY, word text)")
    yield server
    server.stop()


def write(cluster: Cluster, word: str) -> None:
    with psycopg.connect(cluster.url("postgres")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", (word,))


def words(cluster: Cluster) -> list[str]:
    with psycopg.connect(cluster.url("postgres")) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY word")]


def setting(cluster: Cluster, name: str) -> str:
    with psycopg.connect(cluster.url("postgres")) as connection:
        return connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0]


def test_data_survives_a_restart(cluster: Cluster) -> None:
    assert cluster.start() is None
    write(cluster, "kept")
    cluster.stop()
    assert cluster.pid is None
    assert cluster.start() is None
    assert words(cluster) == ["kept"]


def test_a_killed_server_recovers_what_was_committed_and_says_so(cluster: Cluster) -> None:
    cluster.start()
    write(cluster, "committed")
    cluster.kill()
    assert cluster.start() == "An earlier run was killed: PostgreSQL recovers what was committed."
    assert words(cluster) == ["committed"]


def test_a_server_that_an_earlier_run_left_running_is_replaced(cluster: Cluster) -> None:
    cluster.start()
    write(cluster, "kept")
    left = cluster.pid
    successor = Cluster(cluster.data, free_port(), log=cluster.log)
    assert successor.start() == (
        f"An earlier run had left PostgreSQL behind (process {left}): it was stopped first."
    )
    assert successor.pid not in (None, left)
    assert words(successor) == ["kept"]


def test_a_dead_servers_process_id_that_belongs_to_another_program_is_no_obstacle(cluster: Cluster) -> None:
    cluster.start()
    cluster.kill()
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data}\n")
    assert cluster.start() == "An earlier run was killed: PostgreSQL recovers what was committed."


def test_a_half_made_data_folder_is_made_anew(cluster: Cluster) -> None:
    half = cluster.data.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    cluster.start()
    assert not half.exists()
    assert setting(cluster, "server_version").startswith("18.")


def test_a_taken_port_is_one_sentence(cluster: Cluster) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", cluster.port))
        other.listen()
        with pytest.raises(LocalProblem) as problem:
            cluster.start()
    assert str(problem.value) == (
        f"Port {cluster.port} (PostgreSQL) is in use by another program: stop that program, "
        "or choose other ports with `make run PORTS=1000` (every port moves up by 1000)."
    )
    assert not cluster.data.exists()


def test_a_full_disk_is_one_sentence(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 5 * 2**20))
    with pytest.raises(LocalProblem) as problem:
        cluster.start()
    assert str(problem.value) == (
        f"The disk that holds {cluster.data.parent} is full (5 MB free): "
        "free at least 300 MB, then start again."
    )


def test_a_reason_of_postgres_own_is_passed_on(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    (cluster.data / "global" / "pg_control").unlink()
    with pytest.raises(LocalProblem, match=r"PostgreSQL could not start .*postgres\.log says more"):
        cluster.start()


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_what_is_committed_reaches_the_disk(provisioned: Cluster, name: str) -> None:
    assert setting(provisioned, name) == "on"


def test_it_listens_on_loopback_only(provisioned: Cluster) -> None:
    assert setting(provisioned, "listen_addresses") == "127.0.0.1"
    assert setting(provisioned, "unix_socket_directories") == ""


def test_the_extensions_that_services_use_are_there(provisioned: Cluster) -> None:
    with psycopg.connect(provisioned.url("crm_sales", "crm_sales", "a-sales")) as connection:
        for extension in ("pg_trgm", "btree_gist", "unaccent"):
            connection.execute(f"CREATE EXTENSION {extension}")


@pytest.mark.parametrize("database", ["crm_identity", "postgres", "template1"])
def test_a_service_cannot_enter_another_database(provisioned: Cluster, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(provisioned.url(database, "crm_sales", "a-sales"))


def test_a_wrong_password_is_refused(provisioned: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(provisioned.url("crm_sales", "crm_sales", "an-identity"))


def test_services_write_to_the_bus_but_do_not_alter_it(provisioned: Cluster) -> None:
    with psycopg.connect(provisioned.url("crm_bus", "crm_sales", "a-sales")) as sales:
        sales.execute("INSERT INTO log (word) VALUES ('from sales')")
    with psycopg.connect(provisioned.url("crm_bus", "crm_identity", "an-identity")) as identity:
        assert identity.execute("SELECT word FROM log").fetchall() == [("from sales",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            identity.execute("DROP TABLE log")


def test_provisioning_again_keeps_data_and_takes_new_passwords(cluster: Cluster) -> None:
    cluster.start()
    provision(cluster, ["sales"], PASSWORDS)
    with psycopg.connect(cluster.url("crm_sales", "crm_sales", "a-sales")) as sales:
        sales.execute("CREATE TABLE kept ()")
    provision(cluster, ["sales"], {**PASSWORDS, "sales": "changed"})
    with psycopg.connect(cluster.url("crm_sales", "crm_sales", "changed")) as sales:
        assert sales.execute("SELECT to_regclass('kept') IS NOT NULL").fetchone() == (True,)
