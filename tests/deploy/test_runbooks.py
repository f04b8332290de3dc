"""The runbooks: their commands exist and parse, and a service restored from an old backup ends as it was."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import psycopg
import pytest
from click.testing import CliRunner

from deploy.local.client import SuiteClient
from deploy.local.suite import ROOT, LocalSuite
from deploy.operator.__main__ import main

FOLDER = ROOT / "docs" / "runbooks"
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(text: str) -> Iterator[list[str]]:
    """Every command line in the blocks of a page, and every `./crm ...` in its prose."""
    for block in BLOCK.findall(text):
        yield from (shlex.split(line) for line in block.splitlines() if line.strip())
    for inline in re.findall(r"`(\./crm [^`\n]+)`", BLOCK.sub("", text)):
        yield shlex.split(inline)


def check(words: list[str]) -> None:
    """Raises when a command names what does not exist: a program, a subcommand, an option, a target."""
    program, *arguments = words
    if program == "make":
        assert set(arguments) <= TARGETS, arguments
        return
    assert program == "./crm", program
    command: click.Command = main
    context = click.Context(main, info_name="crm")
    while isinstance(command, click.Group):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, name
        command = found
        if not isinstance(command, click.Group):
            command.make_context(name, arguments, parent=context)


PAGES = sorted(FOLDER.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_exists(page: Path) -> None:
    text = page.read_text()
    for words in commands(text):
        if words == ["./crm", "--help"]:
            continue
        try:
            check(words)
        except (click.ClickException, AssertionError) as error:
            pytest.fail(f"{shlex.join(words)}: {error}", pytrace=False)
    assert [link for link in LINK.findall(text) if not (page.parent / link).exists()] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    for wrong in (
        "./crm dlq lists",
        "./crm dlq list --sideways",
        "make nonsense",
        "kubectl get pods",
        "./crm dlq show a",
    ):
        with pytest.raises((click.ClickException, AssertionError)):
            check(shlex.split(wrong))
    assert list(commands("text `./crm status`\n```\nmake run\n./crm token\n```\n")) == [
        ["make", "run"],
        ["./crm", "token"],
        ["./crm", "status"],
    ]


def test_every_page_is_on_the_list() -> None:
    listed = set(re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", (FOLDER / "README.md").read_text(), re.MULTILINE))
    assert listed == {page.name for page in PAGES} - {"README.md"}


@pytest.fixture(scope="module")
def suite(make_suite: Callable[..., LocalSuite]) -> LocalSuite:
    made = make_suite(only="identity,sales,analytics")
    made.start()
    return made


def archive(suite: LocalSuite) -> list[tuple[object, ...]]:
    """What analytics knows for ever, whatever the order in which it came."""
    with psycopg.connect(suite.database_url("analytics")) as analytics:
        return analytics.execute(
            "SELECT source, event_id, type, aggregate_id, aggregate_version, payload FROM archive"
            " ORDER BY source, event_id"
        ).fetchall()


def published(suite: LocalSuite) -> int:
    """How many facts lie on the bus that analytics reads."""
    with psycopg.connect(suite.bus_database_url()) as bus:
        (count,) = bus.execute("SELECT count(DISTINCT headers ->> 'ce_id') FROM log").fetchone() or (0,)
        return int(count)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def figures(client: SuiteClient) -> dict[str, int]:
    """How many deals are in which stage, as analytics counts them."""
    summary = client.get("analytics", "/v1/pipeline-summary")
    return {stage["stage"]: stage["count"] for stage in summary["stages"]}


def test_a_service_restored_from_an_old_backup_ends_as_it_was(suite: LocalSuite, tmp_path: Path) -> None:
    client, backup = SuiteClient(suite), tmp_path / "analytics.dump"

    def crm(*arguments: str) -> str:
        done = CliRunner().invoke(main, ["--home", str(suite.home), *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    account = client.post("sales", "/v1/accounts", {"name": "Acme"})
    deal = {"account_id": account["id"], "close_date": "2035-01-01"}
    lost = client.post("sales", "/v1/opportunities", {"name": "Before the backup", **deal})
    wait_until(lambda: len(archive(suite)) == published(suite))
    crm("backup", "analytics", str(backup))
    known, open_then = len(archive(suite)), sum(figures(client).values())

    for number in range(5):
        client.post("sales", "/v1/opportunities", {"name": f"After the backup {number}", **deal})
    client.change("sales", lost, "lose", reason="price")
    wait_until(lambda: len(archive(suite)) == published(suite))
    before = archive(suite)
    assert len(before) == known + 6
    wait_until(lambda: sum(figures(client).values()) == open_then + 4)
    counted = figures(client)

    said = crm("restore", "--yes", "analytics", str(backup))
    assert re.search(r"^crm\.sales\.opportunity: \d+ read, 6 were missing, now stored$", said, re.MULTILINE)
    assert archive(suite) == before
    wait_until(lambda: figures(client) == counted)
    # Life goes on where it was, and nothing is left to fetch.
    client.post("sales", "/v1/accounts", {"name": "Next"})
    wait_until(lambda: len(archive(suite)) == len(before) + 1)
    assert " 0 were missing" in crm("replay", "analytics", "--topic", "crm.sales.account", "--dry-run")
    assert crm("dlq", "list", "analytics") == "None.\n"


def test_a_restore_that_fails_changes_nothing(suite: LocalSuite, tmp_path: Path) -> None:
    before = archive(suite)
    spoilt = tmp_path / "spoilt.dump"
    spoilt.write_text("this is no backup")
    done = CliRunner().invoke(main, ["--home", str(suite.home), "restore", "--yes", "analytics", str(spoilt)])
    assert done.exit_code == 1
    assert done.stderr.startswith("pg_restore failed: ")
    suite.wait_ready("analytics")
    assert archive(suite) == before
    refused = CliRunner().invoke(
        main, ["--home", str(suite.home), "restore", "analytics", str(spoilt)], input="n\n"
    )
    assert refused.exit_code == 1
