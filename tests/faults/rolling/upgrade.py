"""A rolling upgrade of the whole suite under load, and the way back: docs/runbooks/upgrade.md, carried out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.suite import ROOT, LocalSuite
from tests.faults.checker import Verdict
from tests.faults.rolling.clients import Clients
from tests.faults.rolling.fleet import Fleet, Member
from tests.faults.rolling.next_version import NEXT, next_version
from tests.faults.rolling.outcome import pairs, settle

__all__ = ["LONG", "SHORT", "Plan", "Upgrade", "upgrade"]

_HEARERS = ("sales", "marketing", "support", "fieldservice", "analytics", "erp")
_PAIRS = {("old", "old"), ("old", "new"), ("new", "old"), ("new", "new")}
_MEET_SECONDS = 120.0


@dataclass(frozen=True)
class Plan:
    """`side_by_side`: seconds that both versions work at least. `one_by_one`: old processes end service after service,
    and not all at the same time. `back`: the services that then return to this version; all where it is empty."""

    side_by_side: float
    one_by_one: bool
    back: tuple[str, ...]


SHORT = Plan(5.0, False, ("support",))
LONG = Plan(60.0, True, ())


@dataclass
class Upgrade:
    """What came of it. `seconds` of load, `recovery` seconds from the last request to rest; `repeated` creations were
    asked for twice under one key."""

    verdict: Verdict = field(default_factory=Verdict)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    requests: int = 0
    repeated: int = 0
    seconds: float = 0.0
    recovery: float = 0.0
    wrong: list[str] = field(default_factory=list)
    """What should not have been, a sentence each; empty where all is as promised."""

    def says(self) -> str:
        """The figures in one line."""
        verdict = self.verdict
        told = ", ".join(f"{count} {one} to {other}" for (one, other), count in sorted(self.pairs.items()))
        return (
            f"{self.requests} requests in {self.seconds:.0f} s, {verdict.acknowledged} deals won,"
            f" {verdict.facts} facts, {verdict.repeats} sent twice, at rest after {self.recovery:.1f} s;"
            f" wins told by version: {told}"
        )


def upgrade(suite: LocalSuite, folder: Path, plan: Plan) -> Upgrade:
    """Start `suite` from this version, bring it to the next one and back while people work, and look at what is there.

    Raises AssertionError where a process does not come up, or two versions do not meet in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = next_version(folder / "next")
    result = Upgrade()
    with Fleet(suite) as fleet:
        fleet.start()
        fleet.prepare(new)
        clients = Clients(suite, folder)
        began = time.monotonic()
        with clients:
            _forward(fleet, clients, new, plan)
            _back(fleet, clients, new, plan)
        result.seconds = time.monotonic() - began
        result.verdict, result.recovery = settle(suite, clients.sold)
        result.pairs = pairs(suite)
        result.requests, result.repeated = len(clients.answers), clients.repeated
        result.wrong = [
            *(f"a request failed: {answer}" for answer in clients.failed),
            *clients.problems,
            *_silent(clients),
            *fleet.ended_badly,
            *result.verdict.findings(),
        ]
    return result


def _forward(fleet: Fleet, clients: Clients, new: Path, plan: Plan) -> None:
    """Databases first, then bus processes, then web processes; when both versions have met, the old ones go."""
    services = fleet.suite.services
    _eventually(lambda: len(clients.sold) >= 2 and not _idle(fleet, ROOT), "nothing works before the upgrade")
    fleet.migrate(new)
    fleet.join(services, "bus", new)
    fleet.join(services, "web", new)
    time.sleep(plan.side_by_side)
    _eventually(lambda: pairs(fleet.suite)["old", "new"], "no fact of this version was heard by the next one")
    for group in [(each,) for each in services] if plan.one_by_one else [services]:
        fleet.leave(group, ROOT)
    _eventually(lambda: not _idle(fleet, new), "not every process of the next version has handled a fact")


def _back(fleet: Fleet, clients: Clients, new: Path, plan: Plan) -> None:
    """Processes of this version replace the next one's, on its databases."""
    # The service that tells of wins goes back after the one that hears of them, or not at all.
    for service in plan.back or reversed(fleet.suite.services):
        fleet.join([service], "bus", ROOT)
        fleet.join([service], "web", ROOT)
        fleet.leave([service], new)
        if service == "support":
            _eventually(lambda: pairs(fleet.suite).keys() >= _PAIRS, "not every pair of versions has met")
    before = len(clients.sold)
    _eventually(lambda: len(clients.sold) >= before + 2, "no deal was won after the way back")


def _idle(fleet: Fleet, tree: Path) -> list[Member]:
    """The bus processes of the code in `tree` that have not handled a fact yet."""
    return [member for member in fleet.find(_HEARERS, tree, "bus") if not member.handled()]


def _silent(clients: Clients) -> list[str]:
    """The web processes that have not answered."""
    answered = {(answer.service, answer.version) for answer in clients.answers if answer.status}
    wanted = {(service, version) for service in clients.suite.services for version in ("", NEXT)}
    return [
        f"{service}, {version or 'this'} version, never answered" for service, version in wanted - answered
    ]


def _eventually(condition: Callable[[], object], says: str) -> None:
    deadline = time.monotonic() + _MEET_SECONDS
    while not condition():
        assert time.monotonic() < deadline, says
        time.sleep(0.2)
