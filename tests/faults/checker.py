"""What must be true when a fault is over: nothing lost, nothing invented, each effect once, each key in order.

Three records that nobody can make agree after the fact are compared: what the writers were told, what the databases and
the bus hold, and what the reader did. The names of the checks are those of the promise: see docs/proof.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Effect", "Entry", "Evidence", "Operation", "Told", "Verdict", "check"]

State = Literal["ok", "fail", "info"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a writer asked for and was told: `info` means that it was told nothing. `put_in`: what it adds to the sum of
    all purses, `facts`: how many facts it makes when it is committed."""

    name: str
    kind: str
    keys: tuple[str, ...]
    put_in: int
    facts: int
    state: State


@dataclass(frozen=True, slots=True)
class Told:
    """A committed fact: a row of the outbox, which is written in the transaction that makes it true."""

    id: str
    key: str
    version: int
    operation: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the bus. `place` is where it lies."""

    id: str
    key: str
    version: int
    place: str


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that the reader did, in the order in which it did it."""

    id: str
    key: str
    version: int
    balance: int


@dataclass(frozen=True)
class Evidence:
    """All that is compared. `purses`: id to (event_no, balance)."""

    operations: Sequence[Operation]
    purses: Mapping[str, tuple[int, int]]
    told: Sequence[Told]
    log: Sequence[Entry]
    effects: Sequence[Effect]

    def history(self, key: str) -> list[str]:
        """Everything that is known about one key, from every source."""
        lines = [f"key {key}"]
        lines += [f"  asked    {o.state:4} {o.kind} {o.name}" for o in self.operations if key in o.keys]
        if key in self.purses:
            lines.append(f"  stands   at event {self.purses[key][0]} with a balance of {self.purses[key][1]}")
        lines += [f"  told     v{t.version} {t.id} by {t.operation}" for t in self.told if t.key == key]
        lines += [f"  log      v{e.version} {e.id} at {e.place}" for e in self.log if e.key == key]
        lines += [f"  effect   v{e.version} {e.id} balance {e.balance}" for e in self.effects if e.key == key]
        return lines


@dataclass
class Verdict:
    """Keys by what is wrong with them, and what was measured. `repeats`: records that the bus holds more than once."""

    acknowledged: int = 0
    unknown: int = 0
    facts: int = 0
    repeats: int = 0
    lost: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    offender: str | None = None

    @property
    def broken(self) -> list[str]:
        """The checks that failed, by name."""
        checks = {
            "no loss": self.lost,
            "no ghost": self.ghosts,
            "effect once": self.doubles,
            "order": self.disorder,
            "sum": self.unbalanced,
        }
        return [name for name, findings in checks.items() if findings]

    def findings(self) -> list[str]:
        """All that is wrong, a sentence each."""
        return [*self.lost, *self.ghosts, *self.doubles, *self.disorder, *self.unbalanced]


def check(evidence: Evidence) -> Verdict:
    """Compare the evidence."""
    states = Counter(operation.state for operation in evidence.operations)
    verdict = Verdict(
        acknowledged=states["ok"],
        unknown=states["info"],
        facts=len(evidence.told),
        repeats=len(evidence.log) - len({entry.id for entry in evidence.log}),
    )
    _check_answers(evidence, verdict)
    _check_versions(evidence, verdict)
    _check_presence(evidence, verdict)
    _check_order(evidence, verdict)
    _check_sums(evidence, verdict)
    return verdict


def _accuse(verdict: Verdict, findings: list[str], key: str, says: str) -> None:
    findings.append(f"{key}: {says}")
    verdict.offender = verdict.offender or key


def _check_answers(evidence: Evidence, verdict: Verdict) -> None:
    """An operation is wholly true or wholly untrue, and what the writer was told of it holds."""
    made = Counter(told.operation for told in evidence.told)
    for operation in evidence.operations:
        count, key = made.pop(operation.name, 0), operation.keys[0]
        if operation.state == "ok" and count == 0:
            _accuse(verdict, verdict.lost, key, f"{operation.name} was acknowledged and is not there")
        elif operation.state == "fail" and count:
            _accuse(verdict, verdict.ghosts, key, f"{operation.name} was refused and is there")
        elif 0 < count < operation.facts:
            _accuse(verdict, verdict.lost, key, f"{operation.name} was done in part")
        elif count > operation.facts:
            _accuse(verdict, verdict.doubles, key, f"{operation.name} was done more than once")
    for name in made:
        key = next(told.key for told in evidence.told if told.operation == name)
        _accuse(verdict, verdict.ghosts, key, f"nobody asked for {name}")


def _check_versions(evidence: Evidence, verdict: Verdict) -> None:
    """Every version of an aggregate was told once, without a gap."""
    versions = _versions(evidence.told)
    for key, (event_no, _) in evidence.purses.items():
        told = sorted(versions.pop(key, []))
        if told != list(range(1, event_no + 1)):
            _accuse(verdict, verdict.lost, key, f"it stands at event {event_no}, told are {told}")
    for key in versions:
        _accuse(verdict, verdict.ghosts, key, "something was told of what does not exist")


def _check_presence(evidence: Evidence, verdict: Verdict) -> None:
    """What was committed is on the bus and has had one effect; nothing else is or has."""
    keys = {told.id: told.key for told in evidence.told}
    logged = {entry.id for entry in evidence.log}
    done = Counter(effect.id for effect in evidence.effects)
    for told in evidence.told:
        if told.id not in logged:
            _accuse(verdict, verdict.lost, told.key, f"v{told.version} {told.id} never came to the bus")
        if not done[told.id]:
            _accuse(verdict, verdict.lost, told.key, f"v{told.version} {told.id} had no effect")
        if done[told.id] > 1:
            says = f"v{told.version} {told.id} had {done[told.id]} effects"
            _accuse(verdict, verdict.doubles, told.key, says)
    for entry in evidence.log:
        if entry.id not in keys:
            _accuse(verdict, verdict.ghosts, entry.key, f"{entry.id} is on the bus, and was never committed")
    for effect in evidence.effects:
        if effect.id not in keys:
            _accuse(
                verdict, verdict.ghosts, effect.key, f"{effect.id} had an effect, and was never committed"
            )


def _check_order(evidence: Evidence, verdict: Verdict) -> None:
    """First occurrences on the bus rise by one, and so do effects. A repeat says nothing new about the order."""
    for where, facts in (("on the bus", evidence.log), ("in effects", evidence.effects)):
        for key, versions in _versions(_first(facts)).items():
            if versions != sorted(versions):
                _accuse(verdict, verdict.disorder, key, f"{where} the order is {versions}")


def _check_sums(evidence: Evidence, verdict: Verdict) -> None:
    """Transfers move money and make none: with the purses as with what the reader believes of them."""
    done = {told.operation for told in evidence.told}
    expected = sum(operation.put_in for operation in evidence.operations if operation.name in done)
    stands = sum(balance for _, balance in evidence.purses.values())
    believed = {effect.key: effect.balance for effect in evidence.effects}
    if stands != expected:
        verdict.unbalanced.append(f"the purses hold {stands}, put in were {expected}")
    if sum(believed.values()) != stands:
        verdict.unbalanced.append(f"the reader counts {sum(believed.values())}, the purses hold {stands}")


def _first(facts: Sequence[Entry] | Sequence[Effect]) -> Iterable[Entry | Effect]:
    seen: set[str] = set()
    for fact in facts:
        if fact.id not in seen:
            seen.add(fact.id)
            yield fact


def _versions(facts: Iterable[Told | Entry | Effect]) -> dict[str, list[int]]:
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for fact in facts:
        versions[fact.key].append(fact.version)
    return versions
