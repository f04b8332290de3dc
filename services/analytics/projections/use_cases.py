"""Register projections, fold facts into their tables, rebuild them, and let people help a blocked key."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, text
from sqlalchemy.exc import DataError, IntegrityError

from services.analytics.projection import ArchivedFact, Data, Projection, Row
from services.analytics.projections.errors import KeyNotBlocked, KeysAreBlocked, UnknownProjection
from services.analytics.projections.model import BlockedKey, ProjectionRun, SkippedFact
from services.analytics.projections.repository import (
    LIVE_SCHEMA,
    Runs,
    create_shadow,
    digest_of,
    drop_shadow,
    shadow_schema,
    swap,
    write_rows,
)
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.cause import current_cause
from shared.kernel.errors import IllegalState

__all__ = ["blocked_from", "finish", "fold", "known", "rebuild", "register", "skip_fact", "unblock"]

log = logging.getLogger(__name__)

# What a fact itself is to blame for. Anything else, such as a lost connection, is tried again.
_POISON = (DataError, IntegrityError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError)


def register(projections: Iterable[Projection], uow: UnitOfWork) -> None:
    """Make a run for every projection that has none, and a building one where the code has a new version."""
    with uow:
        runs = Runs(uow.session)
        for projection in projections:
            live = runs.of(projection.name, "live", lock=True)
            if live is None:
                runs.add(ProjectionRun.begin(projection.name, projection.version, "live"))
            elif live.projection_version != projection.version:
                building = runs.of(projection.name, "building", lock=True)
                if building is not None and building.projection_version != projection.version:
                    drop_shadow(uow.session, building.id)
                    building.fail(uow.clock.now(), "A newer version was deployed.")
                    uow.flush()
                    building = None
                if building is None:
                    _begin_building(projection, uow)


def known(projections: Mapping[str, Projection], name: str) -> Projection:
    """The projection of that name. Raises UnknownProjection."""
    projection = projections.get(name)
    if projection is None:
        raise UnknownProjection(f"The projections are {', '.join(sorted(projections))}.")
    return projection


def rebuild(projections: Mapping[str, Projection], name: str, uow: UnitOfWork) -> ProjectionRun:
    """Begin to fill a second set of tables from position 1.

    Raises UnknownProjection, KeysAreBlocked, IllegalState where a rebuild is at work.
    """
    projection = known(projections, name)
    with uow:
        runs = Runs(uow.session)
        live = runs.live(name, lock=True)
        if runs.of(name, "building") is not None:
            raise IllegalState(
                "A rebuild is at work already. Wait for its end.", state="building", allowed=[]
            )
        if runs.blocked([live.id]):
            raise KeysAreBlocked(
                "Retry or skip the blocked keys first: a rebuild would stop at the same facts."
            )
        return _begin_building(projection, uow)


def _begin_building(projection: Projection, uow: UnitOfWork) -> ProjectionRun:
    run = ProjectionRun.begin(projection.name, projection.version, "building")
    create_shadow(uow.session, run.id, projection.tables)
    return Runs(uow.session).add(run)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a run's rows go."""

    run_id: UUID
    schema: str

    @classmethod
    def of(cls, run: Any) -> _Target:
        return cls(run.id, LIVE_SCHEMA if run.state == "live" else shadow_schema(run.id))


def fold(
    projections: Mapping[str, Projection],
    runs: Sequence[Any],
    facts: Sequence[ArchivedFact],
    position: int,
    uow: UnitOfWork,
) -> None:
    """Take `facts` into the tables of `runs` and move their watermark to `position`, together.

    Set by set; where a set fails, one by one: a fact that cannot be applied blocks its own key only.
    """
    with uow:
        stored = Runs(uow.session)
        blocked, skipped = stored.blocked(run.id for run in runs), stored.skipped()
        takers = [
            _Taker(
                projections[run.name],
                _Target.of(run),
                blocked.get(run.id, set()),
                skipped.get(run.name, set()),
            )
            for run in runs
        ]
        for fact in facts:
            wanting = [taker for taker in takers if taker.wants(fact)]
            data = fact.read() if wanting else {}
            for taker in wanting:
                taker.take(fact, data)
        for taker in takers:
            if taker.rows and not _write(taker.target, taker.rows, uow):
                taker.poisoned = True
            if taker.poisoned:
                _apply_one_by_one(taker, facts, uow)
        stored.advance((run.id for run in runs), position)


@dataclass(slots=True)
class _Taker:
    """A run while it takes a batch in: the rows so far, and whether a fact among them could not be read."""

    projection: Projection
    target: _Target
    blocked: set[str]
    skipped: set[str]
    rows: list[tuple[str, Row]] = field(default_factory=list)
    poisoned: bool = False

    def wants(self, fact: ArchivedFact) -> bool:
        return (
            self.projection.wants(fact) and fact.key not in self.blocked and fact.event_id not in self.skipped
        )

    def take(self, fact: ArchivedFact, data: Data) -> None:
        if not self.poisoned:
            try:
                self.rows.extend(self.projection.rows(fact, data))
            except _POISON:
                self.poisoned = True
                self.rows.clear()


def _apply_one_by_one(taker: _Taker, facts: Iterable[ArchivedFact], uow: UnitOfWork) -> int:
    """Apply what the taker wants until each fact is either in the tables or blocks its key; how many are in."""
    applied = 0
    for fact in facts:
        if taker.wants(fact):
            error = _apply(taker, fact, uow)
            if error is None:
                applied += 1
            else:
                taker.blocked.add(fact.key)
                _block(taker.target, fact, error, uow)
    return applied


def _apply(taker: _Taker, fact: ArchivedFact, uow: UnitOfWork) -> Exception | None:
    """Write the rows of one fact; why that cannot be, or None."""
    try:
        with uow.savepoint():
            write_rows(uow.session, taker.target.schema, taker.projection.rows(fact, fact.read()))
    except _POISON as error:
        return error
    return None


def _write(target: _Target, rows: Iterable[tuple[str, Row]], uow: UnitOfWork) -> bool:
    """Write the rows of a whole batch; False, and nothing written, where one of them does not fit."""
    try:
        with uow.savepoint():
            write_rows(uow.session, target.schema, rows)
    except _POISON:
        return False
    return True


def _block(target: _Target, fact: ArchivedFact, error: Exception, uow: UnitOfWork) -> None:
    reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
    log.warning(
        "a fact blocks its key in a projection",
        extra={"event_id": fact.event_id, "event_type": fact.type, "key": fact.key, "error": reason},
    )
    blocked = insert(BlockedKey).values(
        run_id=target.run_id,
        key=fact.key,
        event_id=UUID(fact.event_id),
        position=fact.position,
        error=reason,
        blocked_at=uow.clock.now(),
    )
    uow.session.execute(blocked)


def finish(projections: Mapping[str, Projection], run_id: UUID, uow: UnitOfWork) -> ProjectionRun:
    """Let a building run that has caught up take the live run's place.

    A rebuild must have the digest of the live tables, else it fails and they stay; a new version need not.
    """
    with uow:
        runs = Runs(uow.session)
        run = runs.get(run_id, lock=True)
        live = runs.live(run.name, lock=True)
        tables = projections[run.name].tables
        now = uow.clock.now()
        # Whole tables are read, however large; nobody waits for the answer.
        uow.session.execute(text("SET LOCAL statement_timeout = 0"))
        digest = digest_of(uow.session, tables, shadow_schema(run.id))
        if run.projection_version == live.projection_version:
            expected = digest_of(uow.session, tables)
            if digest != expected:
                drop_shadow(uow.session, run.id)
                differing = ", ".join(name for name in tables if digest[name] != expected[name])
                run.fail(now, f"Built from the archive, these tables differ from the live ones: {differing}.")
                return run
        swap(uow.session, run.id, tables)
        live.retire(now)
        uow.flush()
        run.go_live(now, digest)
        return run


def skip_fact(name: str, key: str, reason: str, uow: UnitOfWork) -> None:
    """Leave out the fact that blocks `key`, now and in every rebuild.

    Raises UnknownProjection, KeyNotBlocked.
    """
    with uow:
        blocked = _blocked(name, key, uow)
        uow.session.add(
            SkippedFact(
                projection=name,
                event_id=blocked.event_id,
                key=key,
                reason=reason,
                actor_id=current_cause().actor_id,
                skipped_at=uow.clock.now(),
            )
        )
        uow.flush()


def blocked_from(name: str, key: str, uow: UnitOfWork) -> tuple[int, int]:
    """Positions of the fact that blocks `key` and of the live run's watermark; the run is held till the commit.

    Raises UnknownProjection, KeyNotBlocked.
    """
    blocked = _blocked(name, key, uow)
    return blocked.position, Runs(uow.session).live(name).watermark


def unblock(projection: Projection, key: str, facts: Iterable[ArchivedFact], uow: UnitOfWork) -> int:
    """Apply the facts of `key` that have waited, in order; how many were applied. At the next one that cannot
    be applied the key is blocked again."""
    with uow:
        runs = Runs(uow.session)
        live = runs.live(projection.name, lock=True)
        uow.session.execute(delete(BlockedKey).where(BlockedKey.run_id == live.id, BlockedKey.key == key))
        skipped = runs.skipped().get(projection.name, set())
        return _apply_one_by_one(_Taker(projection, _Target.of(live), set(), skipped), facts, uow)


def _blocked(name: str, key: str, uow: UnitOfWork) -> BlockedKey:
    run = Runs(uow.session).live(name, lock=True)
    blocked = uow.session.get(BlockedKey, (run.id, key))
    if blocked is None:
        raise KeyNotBlocked(f"Nothing of {key} waits in {name}.")
    return blocked
