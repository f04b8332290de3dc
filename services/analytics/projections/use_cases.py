"""Register projections, fold facts into their tables, rebuild them, and let people help a blocked key."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, IntegrityError

from services.analytics.projection import ArchivedFact, Projection
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

__all__ = ["blocked_from", "finish", "fold", "rebuild", "register", "skip_fact", "unblock"]

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


def rebuild(projections: Mapping[str, Projection], name: str, uow: UnitOfWork) -> ProjectionRun:
    """Begin to fill a second set of tables from position 1.

    Raises UnknownProjection, KeysAreBlocked, IllegalState where a rebuild is at work.
    """
    projection = projections.get(name)
    if projection is None:
        raise UnknownProjection(f"The projections are {', '.join(sorted(projections))}.")
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
        for run in runs:
            projection = projections[run.name]
            leave_out = blocked.get(run.id, set())
            wanted = [
                fact
                for fact in facts
                if projection.wants(fact)
                and fact.key not in leave_out
                and fact.event_id not in skipped.get(run.name, ())
            ]
            if wanted:
                _apply(projection, _Target.of(run), wanted, uow)
        stored.advance((run.id for run in runs), position)


def _apply(projection: Projection, target: _Target, facts: Sequence[ArchivedFact], uow: UnitOfWork) -> None:
    try:
        _write(projection, target, facts, uow)
    except _POISON:
        blocked: set[str] = set()
        for fact in facts:
            if fact.key in blocked:
                continue
            try:
                _write(projection, target, [fact], uow)
            except _POISON as error:
                blocked.add(fact.key)
                _block(target, fact, error, uow)


def _write(projection: Projection, target: _Target, facts: Sequence[ArchivedFact], uow: UnitOfWork) -> None:
    with uow.savepoint():
        write_rows(uow.session, target.schema, (row for fact in facts for row in projection.rows(fact)))


def _block(target: _Target, fact: ArchivedFact, error: Exception, uow: UnitOfWork) -> None:
    reason = f"{type(error).__name__}: {error}"[:2000].replace("\0", "\\0")
    log.warning(
        "a fact blocks its key in a projection",
        extra={"event_id": fact.event_id, "event_type": fact.type, "key": fact.key, "error": reason},
    )
    key = {"run_id": target.run_id, "key": fact.key}
    cause = {
        "event_id": UUID(fact.event_id),
        "position": fact.position,
        "error": reason,
        "blocked_at": uow.clock.now(),
    }
    statement = insert(BlockedKey).values({**key, **cause})
    uow.session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=cause))


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
        target, skipped = _Target.of(live), runs.skipped().get(projection.name, ())
        applied = 0
        for fact in facts:
            if not projection.wants(fact) or fact.event_id in skipped:
                continue
            try:
                _write(projection, target, [fact], uow)
            except _POISON as error:
                _block(target, fact, error, uow)
                return applied
            applied += 1
        uow.session.execute(
            delete(BlockedKey).where(BlockedKey.run_id == target.run_id, BlockedKey.key == key)
        )
        return applied


def _blocked(name: str, key: str, uow: UnitOfWork) -> BlockedKey:
    run = Runs(uow.session).live(name, lock=True)
    blocked = uow.session.get(BlockedKey, (run.id, key))
    if blocked is None:
        raise KeyNotBlocked(f"Nothing of {key} waits in {name}.")
    return blocked
