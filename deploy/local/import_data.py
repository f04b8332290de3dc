"""`make import DATA=DIR`: load a company's files through the HTTP APIs of the running suite.

What goes where is a stored mapping (`imports/*.yaml`). Every row gets a verdict, written to `.crm/imports/`; the same
files a second time change nothing, and a run that was stopped goes on where it was.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Shown

from deploy.local.client import SuiteClient
from deploy.local.imports.mapping import MappedRow, Table, columns, map_row, slug
from deploy.local.problems import LocalProblem
from deploy.local.suite import ROOT, LocalSuite

__all__ = ["Import", "main", "read_files"]

MAPPINGS = Path(__file__).parent / "imports"
CHUNK = 600
"""Rows a request."""
_ENDPOINTS = ("accounts", "products", "opportunities")

Row = dict[str, str]


@dataclass
class Import:
    """One run: `folder` by `mapping` into `suite`."""

    suite: LocalSuite
    folder: Path
    mapping: Mapping[str, Any]
    dry_run: bool = False
    console: Console = field(default_factory=Console)
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)

    def run(self) -> Path:
        """Import everything; the file with the verdicts. Raises LocalProblem."""
        files = read_files(self.folder, self.mapping)
        client = SuiteClient(self.suite)
        currency = client.get("identity", "/v1/organisation")["base_currency"]
        folder = self.suite.home / "imports"
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / f"{time.strftime('%Y%m%dT%H%M%S')}.ndjson"
        progress = Progress(
            TextColumn("{task.description:<14}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
        )
        with report.open("w") as lines, progress:
            tables = {"people": self._people(client, files[self.mapping["people"]["file"]], lines)}
            self._pipeline(client)
            for file in self.mapping["files"]:
                rows = files[file["file"]]
                tables[file["records"]] = self._table(file, rows)
                self._file(client, file, rows, tables, currency, lines, progress)
        return report

    @staticmethod
    def _table(file: Mapping[str, Any], rows: Sequence[Row]) -> Table:
        external_id = file["fields"]["external_id"]["text"]
        try:
            return Table(
                (
                    row[file["key"]],
                    {**row, "external_id": external_id.format_map(row), "sku": row.get("product")},
                )
                for row in rows
            )
        except ValueError as error:
            raise LocalProblem(f"{file['file']}: {error}.") from error

    # -- people -----------------------------------------------------------------------------------------------

    def _people(self, client: SuiteClient, rows: Sequence[Row], lines: Any) -> Table:
        """Managers, agents and their teams, through identity."""
        rule = self.mapping["people"]
        teams = {team["name"]: team["id"] for team in client.items("identity", "/v1/teams")}
        users = {user["email"]: user["id"] for user in client.items("identity", "/v1/users")}
        people: dict[str, Mapping[str, Any]] = {}
        for team in sorted({row[rule["team"]] for row in rows}):
            if team not in teams and not self.dry_run:
                teams[team] = client.post("identity", "/v1/teams", {"name": team, "kind": rule["team_kind"]})[
                    "id"
                ]
        managers = {row[rule["manager"]]: row[rule["team"]] for row in rows}
        for name, team in managers.items():
            people[name] = self._person(
                client, name, rule["manager_role"], teams.get(team), None, users, lines
            )
        for row in rows:
            name, manager = row[rule["person"]], people[row[rule["manager"]]]["id"]
            team_id = teams.get(row[rule["team"]])
            people[name] = self._person(client, name, rule["person_role"], team_id, manager, users, lines)
        return Table(people.items())

    def _person(
        self,
        client: SuiteClient,
        name: str,
        role: str,
        team_id: str | None,
        manager_id: str | None,
        users: dict[str, str],
        lines: Any,
    ) -> Mapping[str, Any]:
        email = f"{slug(name).replace('-', '.')}@{self.mapping['people']['email_domain']}"
        verdict = "unchanged" if email in users else "created"
        if verdict == "created":
            # A dry run makes nobody: any well-formed id stands in for the one he would get.
            users[email] = "00000000-0000-7000-8000-000000000000"
            if not self.dry_run:
                body = {
                    "email": email,
                    "display_name": name,
                    "role_names": [role],
                    "team_ids": [team_id] if team_id else [],
                    "manager_id": manager_id,
                }
                users[email] = client.post("identity", "/v1/users", body)["id"]
        self._note("people", {"external_id": name, "verdict": verdict, "id": users[email]}, lines)
        return {"id": users[email]}

    def _pipeline(self, client: SuiteClient) -> None:
        wanted = self.mapping["pipeline"]
        query = {"name": wanted["name"], "state": "active"}
        if not self.dry_run and not client.get("sales", "/v1/pipelines", **query)["items"]:
            draft = client.post("sales", "/v1/pipelines", wanted)
            client.change("sales", draft, "publish")

    # -- rows -------------------------------------------------------------------------------------------------

    def _file(
        self,
        client: SuiteClient,
        file: Mapping[str, Any],
        rows: Sequence[Row],
        tables: Mapping[str, Table],
        currency: str,
        lines: Any,
        progress: Progress,
    ) -> None:
        records: str = file["records"]
        if records not in _ENDPOINTS:
            raise LocalProblem(f"The mapping names {records}; there are imports for {', '.join(_ENDPOINTS)}.")
        checkpoint = _Checkpoint(self.suite.home / "imports" / "progress.json", rows, self.dry_run)
        task = progress.add_task(records, total=len(rows), completed=checkpoint.done)
        numbered = enumerate(rows[checkpoint.done :], start=checkpoint.done + 1)
        for chunk in iter(lambda: list(islice(numbered, CHUNK)), []):
            mapped = [(number, map_row(row, file["fields"], tables, currency)) for number, row in chunk]
            for verdict in self._send(client, records, mapped):
                self._note(records, verdict, lines)
            checkpoint.reached(chunk[-1][0])
            progress.advance(task, len(chunk))
        checkpoint.finished()

    def _send(
        self, client: SuiteClient, records: str, mapped: Sequence[tuple[int, MappedRow]]
    ) -> Iterator[dict[str, Any]]:
        """The verdict of each row: what the mapping refuses is not sent."""
        sendable = [(number, row) for number, row in mapped if not row.errors]
        for number, row in mapped:
            if row.errors:
                reason = "; ".join(row.errors)
                external_id = row.values.get("external_id")
                yield {"row": number, "external_id": external_id, "verdict": "refused", "reason": reason}
        body = b"".join(json.dumps(row.values).encode() + b"\n" for _, row in sendable)
        path = f"/v1/imports/{records}" + ("?dry_run=true" if self.dry_run else "")
        answers = client.post_lines("sales", path, body) if sendable else []
        for (number, row), verdict in zip(sendable, answers, strict=True):
            reasons = [*filter(None, [verdict["reason"]]), *row.warnings]
            word = "warned" if row.warnings and verdict["verdict"] == "created" else verdict["verdict"]
            yield {**verdict, "row": number, "verdict": word, "reason": "; ".join(reasons) or None}

    def _note(self, records: str, verdict: Mapping[str, Any], lines: Any) -> None:
        self.verdicts.setdefault(records, Counter())[verdict["verdict"]] += 1
        lines.write(json.dumps({"records": records, **verdict}) + "\n")


def read_files(folder: Path, mapping: Mapping[str, Any]) -> dict[str, list[Row]]:
    """The rows of every file that `mapping` names, all of them before anything is changed.

    Raises LocalProblem for a file that cannot be read or lacks a column of the mapping.
    """
    people = mapping["people"]
    needed = {people["file"]: {people[name] for name in ("person", "manager", "team")}}
    needed |= {file["file"]: {file["key"], *columns(file["fields"])} for file in mapping["files"]}
    return {name: _read(folder / name, wanted) for name, wanted in needed.items()}


def _read(path: Path, wanted: set[str]) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            there = reader.fieldnames or ()
            if missing := sorted(wanted.difference(there)):
                found = ", ".join(there) or "none"
                raise LocalProblem(f"{path} has no column {', '.join(missing)}; its columns are: {found}.")
            return list(reader)
    except OSError as error:
        raise LocalProblem(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise LocalProblem(f"{path} cannot be read: it is not UTF-8 ({error.reason}).") from error


class _Checkpoint:
    """How far a file has got, so that a stopped run goes on there. Known by the rows themselves."""

    def __init__(self, path: Path, rows: Sequence[Row], dry_run: bool) -> None:
        self._path = None if dry_run else path
        self._digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
        self.done: int = self._known().get(self._digest, 0)

    def _known(self) -> dict[str, int]:
        if self._path is None or not self._path.exists():
            return {}
        known: dict[str, int] = json.loads(self._path.read_text())
        return known

    def reached(self, row: int) -> None:
        """Everything up to `row` is in."""
        self._write({**self._known(), self._digest: row})

    def finished(self) -> None:
        """The whole file is in: the next run looks at all of it again."""
        known = self._known()
        known.pop(self._digest, None)
        self._write(known)

    def _write(self, known: Mapping[str, int]) -> None:
        if self._path is not None:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(json.dumps(known))
            fresh.rename(self._path)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mapping", default="crm-sales-opportunities", help="A stored mapping, or the path of one.")
@click.option("--dry-run", is_flag=True, help="Tell the verdicts, but keep nothing.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CRM_HOME",
    default=ROOT / ".crm",
    help="Folder of the running suite.",
)
def main(folder: Path, mapping: str, dry_run: bool, home: Path) -> None:
    """Load the files in FOLDER into the running suite."""
    console = Console(soft_wrap=True)
    try:
        path = Path(mapping) if mapping.endswith(".yaml") else MAPPINGS / f"{mapping}.yaml"
        if not path.exists():
            raise LocalProblem(f"There is no mapping {path}.")
        suite = LocalSuite.running(home.absolute())
        started = time.monotonic()
        work = Import(suite, folder, yaml.safe_load(path.read_text()), dry_run, console)
        report = work.run()
    except LocalProblem as problem:
        click.echo(str(problem), err=True)
        sys.exit(1)
    _show(console, work, time.monotonic() - started, report)


def _show(console: Console, work: Import, seconds: float, report: Path) -> None:
    shown = Shown("records", "created", "updated", "unchanged", "warned", "refused", title="Verdicts")
    for records, counts in work.verdicts.items():
        words = ("created", "updated", "unchanged", "warned", "refused")
        shown.add_row(records, *(str(counts[word]) for word in words))
    console.print(shown)
    rows = sum(sum(counts.values()) for counts in work.verdicts.values())
    console.print(f"{rows} rows in {seconds:.1f} s ({rows / seconds:.0f} a second). Each verdict: {report}")
    if work.dry_run:
        console.print("This was a dry run: nothing was kept.")


if __name__ == "__main__":
    main()
