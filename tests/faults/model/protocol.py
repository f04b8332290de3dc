"""The protocol that carries facts from a commit to their effects, as a machine with small, whole steps.

Writers put facts into the outbox; relays send them; the broker appends them to its log; the ingest of a consumer
process stores them in the inbox and commits its position; workers apply them. What can happen between two steps
of one process is a step of another, a crash, or another fault. A fact is written `a1`: the first one of key `a`;
`a1'` is told by a transaction that comes after one that was rolled back, and is another fact.

Where the real system is narrower than the machine, the machine is left wider, because it then has fewer states: a
relay gives the lead back after a batch, an ingest its partition after a commit, so any other may go on.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Mutation", "Protocol", "State", "key_of", "version_of"]

Fact = str
Facts = tuple[Fact, ...]
Idle = tuple[()]
IDLE: Idle = ()


class Mutation(enum.Enum):
    """A protocol that leaves out one of the rules. The value says what it does instead."""

    INBOX_KEY_OFF = "the inbox stores what it knows already once more"
    MARK_BEFORE_ACKNOWLEDGE = "the relay marks facts as published before it sends them"
    CURSOR_POLLING = "the relay reads on behind the highest number that it has sent"
    AUTO_COMMIT = "the position is committed when records are fetched, before they are stored"
    HANDLER_OUTSIDE_TRANSACTION = "a handler's effects are committed before the fact is marked as done"
    SKIP_LOCKED_RELAY = "relays have no leader; each takes the first fact that no other has locked"
    SEND_BEFORE_COMMIT = "a fact is sent inside the transaction that makes it true"
    ANY_ROW_OF_A_KEY = "workers take any fact that no other has locked, not the first of its key"


class Row(NamedTuple):
    """An outbox row, in the order of the numbers that were handed out; published rows are left out."""

    fact: Fact
    committed: bool
    passed: bool  # a cursor has gone by


class Relay(NamedTuple):
    """`session`: leads, or lost: another may lead, and this relay has yet to find out."""

    session: str
    waiting: Facts = ()
    sent: Facts = ()  # and not acknowledged
    acknowledged: Facts = ()


class Ingest(NamedTuple):
    """`owns` the partition, or has lost it to another member and has yet to find out. `until`: the position
    behind the records in hand."""

    owns: bool
    partition: int
    records: Facts
    until: int
    stored: bool = False


class Stored(NamedTuple):
    """An inbox row."""

    fact: Fact
    done: bool = False


class Work(NamedTuple):
    """A worker's transaction: rows of the inbox of one key, the first of them locked."""

    key: int
    rows: tuple[int, ...]
    applied: bool = False


class State(NamedTuple):
    """Everything that is kept anywhere. `IDLE` is a process with nothing in hand."""

    committed: tuple[Facts, ...]  # by key
    rolled_back: tuple[int, ...]  # by key: how often its next change was
    outbox: tuple[Row, ...]
    relays: tuple[Relay | Idle, ...]
    adrift: Facts  # sent by nobody who still listens: appended later, or never
    log: tuple[Facts, ...]  # by partition
    positions: tuple[int, ...]  # by partition: what the group has committed
    ingests: tuple[Ingest | Idle, ...]
    inbox: tuple[tuple[Stored, ...], ...]  # by key
    workers: tuple[Work | Idle, ...]
    effects: tuple[Facts, ...]  # by key, in the order in which they became true
    faults: int  # that may still happen


Step = tuple[str, State]


def key_of(fact: Fact) -> int:
    """The key of a fact as a number."""
    return ord(fact[0]) - ord("a")


def version_of(fact: Fact) -> int:
    """Which change of its key a fact tells."""
    return int(fact[1])


@dataclass(frozen=True)
class Protocol:
    """The protocol for `keys` keys with `facts` facts each, carried by so many processes, with at most `faults`
    faults anywhere.

    It can be looked at in two halves, which meet at the log and at nothing else. Without consumers it ends there.
    Without relays the broker itself makes logs such as the first half may make: facts of a key in their order, and,
    as a fault, one of them once more.
    """

    keys: int = 2
    facts: int = 2
    relays: int = 2
    consumers: int = 2
    partitions: int = 1
    faults: int = 1
    mutation: Mutation | None = None

    def initial(self) -> State:
        """Nothing has happened yet."""
        nothing: tuple[Facts, ...] = ((),) * self.keys
        return State(
            committed=nothing,
            rolled_back=(0,) * self.keys,
            outbox=(),
            relays=(IDLE,) * self.relays,
            adrift=(),
            log=((),) * self.partitions,
            positions=(0,) * self.partitions,
            ingests=(IDLE,) * self.consumers,
            inbox=((),) * self.keys,
            workers=(IDLE,) * self.consumers,
            effects=nothing,
            faults=self.faults,
        )

    @staticmethod
    def canonical(state: State) -> State:
        """One state for all that differ only in which of two like processes does what."""
        return state._replace(
            relays=tuple(sorted(state.relays)),
            ingests=tuple(sorted(state.ingests)),
            workers=tuple(sorted(state.workers)),
            adrift=tuple(sorted(state.adrift)),
        )

    def steps(self, state: State) -> Iterator[Step]:
        """What the processes may do next by themselves."""
        if state.relays:
            yield from self._write(state)
        else:
            yield from self._arrive(state)
        for number, relay in enumerate(state.relays):
            yield from self._relay(state, number, relay)
        for number, ingest in enumerate(state.ingests):
            yield from self._ingest(state, number, ingest)
        for number, work in enumerate(state.workers):
            yield from self._work(state, number, work)

    def faults_from(self, state: State) -> Iterator[Step]:
        """What may happen besides. A late request that nobody waits for may reach the broker, or never."""
        for fact in sorted(set(state.adrift)):
            rest = state._replace(adrift=_without(state.adrift, fact))
            yield f"a late request appends {fact} to the log", self._append(rest, fact)
        if not state.faults:
            return
        state = state._replace(faults=state.faults - 1)
        for row in state.outbox:
            if not row.committed:
                yield f"FAULT writer: the transaction of {row.fact} is rolled back", _roll_back(state, row)
        for number, relay in enumerate(state.relays):
            if relay:
                yield from self._relay_fails(state, number, relay)
        if not state.relays:
            for fact in sorted({fact for log in state.log for fact in log}):
                yield f"FAULT the broker appends {fact} once more", self._append(state, fact)
        for number, ingest in enumerate(state.ingests):
            if not ingest:
                continue
            name = f"FAULT ingest {number + 1}"
            held = ", ".join(ingest.records)
            yield f"{name} is killed holding {held}", _set_ingest(state, number, IDLE)
            if ingest.owns:
                lost = _set_ingest(state, number, ingest._replace(owns=False))
                yield f"{name} loses its partition while it holds {held}", lost
        for partition, position in enumerate(state.positions):
            if position:
                rewound = state._replace(positions=_put(state.positions, partition, 0))
                yield f"FAULT the group's position is set back to 0 (was {position})", rewound
        for number, work in enumerate(state.workers):
            if work:
                killed = state._replace(workers=_put(state.workers, number, IDLE))
                yield f"FAULT worker {number + 1} is killed", killed

    # -- the writers: one transaction a key at a time, since each locks its aggregate -----------------------------

    def _write(self, state: State) -> Iterator[Step]:
        open_keys = {key_of(row.fact) for row in state.outbox if not row.committed}
        for key, committed in enumerate(state.committed):
            if key in open_keys or len(committed) == self.facts:
                continue
            fact = _name(key, len(committed) + 1) + "'" * state.rolled_back[key]
            begun = state._replace(outbox=(*state.outbox, Row(fact, committed=False, passed=False)))
            if self.mutation is Mutation.SEND_BEFORE_COMMIT:
                yield f"the writer inserts {fact} and sends it", self._append(begun, fact)
            else:
                yield f"the writer inserts {fact} into the outbox", begun
        for place, row in enumerate(state.outbox):
            if not row.committed:
                key = key_of(row.fact)
                outbox = _put(state.outbox, place, row._replace(committed=True))
                facts = _put(state.committed, key, (*state.committed[key], row.fact))
                yield f"the writer commits {row.fact}", state._replace(outbox=outbox, committed=facts)

    def _arrive(self, state: State) -> Iterator[Step]:
        for key, committed in enumerate(state.committed):
            if len(committed) < self.facts:
                fact = _name(key, len(committed) + 1)
                told = state._replace(committed=_put(state.committed, key, (*committed, fact)))
                yield f"the broker appends {fact}", self._append(told, fact)

    # -- the relays -----------------------------------------------------------------------------------------------

    def _relay(self, state: State, number: int, relay: Relay | Idle) -> Iterator[Step]:
        name = f"relay {number + 1}"
        if not relay:
            if batch := self._pending(state):
                taken = _send(Relay("leads", waiting=batch))
                outbox = state.outbox
                if self.mutation is Mutation.MARK_BEFORE_ACKNOWLEDGE:
                    outbox = _published(outbox, batch)
                    name = f"{name} marks and"
                after = _set_relay(state._replace(outbox=outbox), number, taken)
                yield f"{name} takes {', '.join(batch)} and sends {', '.join(taken.sent)}", after
        elif relay.sent:
            for fact in relay.sent:
                heard = relay._replace(
                    sent=_without(relay.sent, fact), acknowledged=(*relay.acknowledged, fact)
                )
                after = self._append(_set_relay(state, number, _send(heard)), fact)
                yield f"the broker appends {fact} and acknowledges it to {name}", after
        elif relay.session == "lost":
            yield f"{name} cannot mark anything: its session is gone", _set_relay(state, number, IDLE)
        else:
            outbox = _published(state.outbox, relay.acknowledged)
            if self.mutation is Mutation.CURSOR_POLLING:
                outbox = _passed(state.outbox, relay.acknowledged)
            marked = f"{name} marks {', '.join(relay.acknowledged) or 'nothing'} as published"
            yield marked, _set_relay(state._replace(outbox=outbox), number, IDLE)

    def _pending(self, state: State) -> Facts:
        """What an idle relay would send now: all that is committed, if it can lead."""
        pending = tuple(row.fact for row in state.outbox if row.committed and not row.passed)
        at_work = [relay for relay in state.relays if relay and relay.session == "leads"]
        if self.mutation is Mutation.SEND_BEFORE_COMMIT:
            return ()
        if self.mutation is Mutation.SKIP_LOCKED_RELAY:
            locked = {
                fact for relay in at_work for fact in (*relay.waiting, *relay.sent, *relay.acknowledged)
            }
            return tuple(fact for fact in pending if fact not in locked)[:1]
        return () if at_work else pending

    def _relay_fails(self, state: State, number: int, relay: Relay) -> Iterator[Step]:
        name = f"FAULT relay {number + 1}"
        gone = _set_relay(state._replace(adrift=(*state.adrift, *relay.sent)), number, IDLE)
        yield f"{name} is killed", gone
        if relay.session == "leads":
            yield f"{name} loses its session", _set_relay(state, number, relay._replace(session="lost"))
        for fact in relay.sent:
            without = relay._replace(
                sent=_without(relay.sent, fact),
                waiting=tuple(later for later in relay.waiting if key_of(later) != key_of(fact)),
            )
            gives_up = _set_relay(state, number, _send(without))
            yield f"{name} hears nothing of {fact}", gives_up._replace(adrift=(*state.adrift, fact))

    def _append(self, state: State, fact: Fact) -> State:
        partition = key_of(fact) % self.partitions
        return state._replace(log=_put(state.log, partition, (*state.log[partition], fact)))

    # -- the consumers --------------------------------------------------------------------------------------------

    def _ingest(self, state: State, number: int, ingest: Ingest | Idle) -> Iterator[Step]:
        name = f"ingest {number + 1}"
        if not ingest:
            owned = {other.partition for other in state.ingests if other and other.owns}
            for partition, log in enumerate(state.log):
                position = state.positions[partition]
                if partition in owned or position == len(log):
                    continue
                fetched = Ingest(True, partition, log[position:], len(log))
                after = _set_ingest(state, number, fetched)
                what = f"{name} fetches {', '.join(fetched.records)}"
                if self.mutation is Mutation.AUTO_COMMIT:
                    after = after._replace(positions=_put(state.positions, partition, len(log)))
                    what = f"{what} and commits the position {len(log)}"
                yield what, after
        elif not ingest.stored:
            stored = _set_ingest(state, number, ingest._replace(stored=True))
            yield f"{name} stores {', '.join(ingest.records)}", self._store(stored, ingest.records)
        elif not ingest.owns:
            yield (
                f"{name} is refused its position: another has the partition",
                _set_ingest(state, number, IDLE),
            )
        else:
            positions = _put(state.positions, ingest.partition, ingest.until)
            after = _set_ingest(state._replace(positions=positions), number, IDLE)
            yield f"{name} commits the position {ingest.until}", after

    def _store(self, state: State, records: Facts) -> State:
        inbox = list(state.inbox)
        for fact in records:
            rows = inbox[key_of(fact)]
            if self.mutation is Mutation.INBOX_KEY_OFF or all(row.fact != fact for row in rows):
                inbox[key_of(fact)] = (*rows, Stored(fact))
        return state._replace(inbox=tuple(inbox))

    def _work(self, state: State, number: int, work: Work | Idle) -> Iterator[Step]:
        name = f"worker {number + 1}"
        if not work:
            for key, choice in self._claimable(state):
                claimed = ", ".join(state.inbox[key][place].fact for place in choice)
                after = state._replace(workers=_put(state.workers, number, Work(key, choice)))
                yield f"{name} claims {claimed}", after
            return
        facts = tuple(state.inbox[work.key][place].fact for place in work.rows)
        applied = state
        if not work.applied:
            effects = (*state.effects[work.key], *facts)
            applied = state._replace(effects=_put(state.effects, work.key, effects))
            if self.mutation is Mutation.HANDLER_OUTSIDE_TRANSACTION:
                half = applied._replace(workers=_put(state.workers, number, work._replace(applied=True)))
                yield f"{name} commits the effects of {', '.join(facts)}", half
                return
        rows = tuple(
            row._replace(done=True) if place in work.rows else row
            for place, row in enumerate(state.inbox[work.key])
        )
        done = applied._replace(
            inbox=_put(state.inbox, work.key, rows), workers=_put(state.workers, number, IDLE)
        )
        what = "marks" if work.applied else "commits the effects of"
        yield (
            f"{name} {what} {', '.join(facts)}" + (" as done" if work.applied else " and that they are done"),
            done,
        )

    def _claimable(self, state: State) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Keys and rows that a worker can claim: what waits behind the head of a key whose head is not locked."""
        for key, rows in enumerate(state.inbox):
            ready = tuple(place for place, row in enumerate(rows) if not row.done)
            locked = {place for work in state.workers if work and work.key == key for place in work.rows}
            if self.mutation is Mutation.ANY_ROW_OF_A_KEY:
                yield from ((key, (place,)) for place in ready if place not in locked)
            elif ready and not locked:
                yield key, ready


def _name(key: int, version: int) -> Fact:
    return f"{chr(ord('a') + key)}{version}"


def _send(relay: Relay) -> Relay:
    """The next wave, when the last one has ended: of each key the first fact that waits."""
    if relay.sent:
        return relay
    wave = tuple({key_of(fact): fact for fact in reversed(relay.waiting)}.values())
    return relay._replace(sent=wave, waiting=tuple(fact for fact in relay.waiting if fact not in wave))


def _put(values: tuple, place: int, value: object) -> tuple:
    return (*values[:place], value, *values[place + 1 :])


def _without(facts: Facts, fact: Fact) -> Facts:
    place = facts.index(fact)
    return facts[:place] + facts[place + 1 :]


def _published(outbox: tuple[Row, ...], facts: Facts) -> tuple[Row, ...]:
    return tuple(row for row in outbox if row.fact not in facts)


def _passed(outbox: tuple[Row, ...], facts: Facts) -> tuple[Row, ...]:
    """The rows behind which a cursor stands after it has passed `facts`."""
    last = max((place for place, row in enumerate(outbox) if row.fact in facts), default=-1)
    behind = tuple(row._replace(passed=True) for row in outbox[: last + 1] if row.fact not in facts)
    return behind + outbox[last + 1 :]


def _roll_back(state: State, row: Row) -> State:
    key = key_of(row.fact)
    outbox = tuple(other for other in state.outbox if other != row)
    rolled_back = _put(state.rolled_back, key, state.rolled_back[key] + 1)
    return state._replace(outbox=outbox, rolled_back=rolled_back)


def _set_relay(state: State, number: int, relay: Relay | Idle) -> State:
    return state._replace(relays=_put(state.relays, number, relay))


def _set_ingest(state: State, number: int, ingest: Ingest | Idle) -> State:
    return state._replace(ingests=_put(state.ingests, number, ingest))
