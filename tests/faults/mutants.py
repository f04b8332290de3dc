"""Code that breaks the promise in the ways in which such code is usually wrong. The checker must notice each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from tests.faults.catalogue import chosen
from tests.faults.lab import Lab
from tests.faults.registry import run
from tests.faults.trees import Patch, changed

__all__ = ["MUTANTS", "Caught", "Mutant", "run_mutant"]

_RELAY = "shared/messaging/relay.py"


@dataclass(frozen=True)
class Mutant:
    """A change of the code, the fault that should bring it to light, and the check that must turn red."""

    name: str
    says: str
    fault: str
    transport: str
    check: str
    patches: tuple[Patch, ...]


@dataclass(frozen=True)
class Caught:
    """What became of a mutant. `checks`: those that turned red."""

    mutant: Mutant
    fault: str
    transport: str
    checks: tuple[str, ...]

    @property
    def is_caught(self) -> bool:
        """Whether the check that is there for it turned red."""
        return self.mutant.check in self.checks

    @property
    def how(self) -> str:
        """The outcome in words."""
        return f"caught by {', '.join(self.checks)}" if self.is_caught else f"SURVIVED ({self.checks})"


MUTANTS = (
    Mutant(
        "inbox-key-off",
        "the inbox takes a fact that it has",
        "whole-topic-replayed",
        "postgres",
        "effect once",
        (
            Patch(
                "shared/messaging/inbox.py",
                "            fact.source,\n            fact.id,\n",
                "            fact.source,\n            f'{fact.id} {uuid.uuid4()}',\n",
            ),
        ),
    ),
    Mutant(
        "mark-before-acknowledge",
        "the relay marks facts as published before the broker has them",
        "kill-relay-R1",
        "postgres",
        "no loss",
        (
            Patch(
                _RELAY,
                "        outcomes = self._send(self._publisher, rows)\n",
                "        connection.execute(_MARK, ([row.seq for row in rows],))\n"
                "        outcomes = self._send(self._publisher, rows)\n",
            ),
        ),
    ),
    Mutant(
        "cursor-polling",
        "the relay asks for what follows the last fact that it sent",
        "long-transaction",
        "postgres",
        "no loss",
        (
            Patch(
                _RELAY,
                "WHERE published_at IS NULL AND parked_at IS NULL\n          AND topic",
                "WHERE published_at IS NULL AND parked_at IS NULL AND seq > %s\n          AND topic",
            ),
            Patch(_RELAY, "(BATCH, BATCH_BYTES)", "(self._after, BATCH, BATCH_BYTES)"),
            Patch(
                _RELAY,
                "        self.leads = False\n\n",
                "        self.leads = False\n        self._after = 0\n\n",
            ),
            Patch(
                _RELAY,
                '        passing("R2")\n',
                '        self._after = rows[-1].seq\n        passing("R2")\n',
            ),
        ),
    ),
    Mutant(
        "auto-commit",
        "offsets are committed when records are polled, as automatic commits do it",
        "kill-ingest-I1",
        "kafka",
        "no loss",
        (
            Patch(
                "shared/messaging/ingest.py",
                '            passing("I1")\n',
                '            self._subscriber.commit()\n            passing("I1")\n',
            ),
        ),
    ),
    Mutant(
        "handler-outside",
        "a handler's effects are committed before the fact is marked as done",
        "kill-worker-H2",
        "postgres",
        "effect once",
        (
            Patch(
                "shared/messaging/worker.py",
                "            self._consumers.apply(fact, uow)\n",
                "            with self._open() as own:\n                self._consumers.apply(fact, own)\n",
            ),
        ),
    ),
    Mutant(
        "skip-locked",
        "several relays share the work by SKIP LOCKED",
        "two-relays-and-a-backlog",
        "postgres",
        "order",
        (
            Patch(_RELAY, "SELECT pg_try_advisory_lock(hashtextextended('outbox relay', 0))", "SELECT true"),
            Patch(_RELAY, "ORDER BY seq LIMIT %s\n", "ORDER BY seq LIMIT %s FOR UPDATE SKIP LOCKED\n"),
            Patch(_RELAY, "BATCH = 500\n", "BATCH = 5\n"),
            Patch(
                _RELAY,
                "    def step(self) -> bool:\n        connection = self._connect()\n",
                "    def step(self) -> bool:\n        connection = self._connect()\n"
                "        with connection.transaction():\n            return self._share(connection)\n\n"
                "    def _share(self, connection: psycopg.Connection[Any]) -> bool:\n",
            ),
        ),
    ),
)


def run_mutant(lab: Lab, mutant: Mutant, seed: int) -> Caught:
    """Do the mutant's fault to code with the mutation in it."""
    tree = changed(lab.folder / mutant.name, mutant.patches)
    try:
        (fault,) = chosen(mutant.fault)
        result = run(lab, fault, mutant.transport, seed, tree=tree)
    finally:
        lab.close_nursery(tree)
        shutil.rmtree(tree)
    return Caught(mutant, mutant.fault, mutant.transport, tuple(result.caught_by))
