"""The loop that folds the archive into projections. A live projection is a rebuild that has caught up: there is
one code path, and it never talks to the bus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.analytics.archive.repository import facts_after, facts_of_key
from services.analytics.facts import PROJECTIONS
from services.analytics.projection import Projection
from services.analytics.projections import use_cases
from services.analytics.projections.repository import Runs
from shared.db.unit_of_work import UnitOfWork
from shared.messaging.loop import Loop
from shared.service import Runtime

__all__ = ["Projecting", "advance", "catch_up", "retry_blocked_key", "skip_blocked_fact"]

BATCH = 2_000


class Projecting(Loop):
    """Brings all projections up to date, live ones first, and rebuilds step by step beside them."""

    follows_ingest = True

    def __init__(self, runtime: Runtime) -> None:
        super().__init__("projecting")
        self._runtime = runtime
        self._registered = False

    def step(self) -> bool:
        if not self._registered:
            use_cases.register(PROJECTIONS.values(), self._runtime.unit_of_work())
            self._registered = True
        return advance(self._runtime.unit_of_work())


def advance(uow: UnitOfWork, projections: Mapping[str, Projection] = PROJECTIONS, batch: int = BATCH) -> bool:
    """Fold one batch into the live projections, and one into a rebuild; whether there may be more."""
    live = _advance_live(uow, projections, batch)
    return _advance_building(uow, projections, batch) or live


def catch_up(uow: UnitOfWork, projections: Mapping[str, Projection] = PROJECTIONS) -> None:
    """Fold everything that is archived, and finish every rebuild."""
    use_cases.register(projections.values(), uow)
    while advance(uow, projections):
        pass


def _advance_live(uow: UnitOfWork, projections: Mapping[str, Projection], batch: int) -> bool:
    with uow:
        runs = [run for run in Runs(uow.session).lock("live") if _is_current(run, projections)]
        if not runs:
            return False
        # Those that are furthest behind; as a rule that is all of them, and the batch is read once.
        position = min(run.watermark for run in runs)
        behind = [run for run in runs if run.watermark == position]
        facts, last = facts_after(uow.session, position, batch, _reads(projections, behind))
        if last == position:
            return False
        use_cases.fold(projections, behind, facts, last, uow)
        return True


def _advance_building(uow: UnitOfWork, projections: Mapping[str, Projection], batch: int) -> bool:
    with uow:
        # The live run is held too: both must stand at one position for their digests to be compared.
        runs = Runs(uow.session).lock("live", "building")
        building = [run for run in runs if run.state == "building" and _is_current(run, projections)]
        if not building:
            return False
        run = building[0]
        live = next(other for other in runs if other.name == run.name and other.state == "live")
        is_rebuild = live.projection_version == run.projection_version
        bound = {"up_to": live.watermark} if is_rebuild else {}
        facts, last = facts_after(uow.session, run.watermark, batch, _reads(projections, [run]), **bound)
        if last == run.watermark:
            use_cases.finish(projections, run.id, uow)
        else:
            use_cases.fold(projections, [run], facts, last, uow)
        return True


def _reads(projections: Mapping[str, Projection], runs: Iterable[Any]) -> set[str]:
    return {prefix for run in runs for prefix in projections[run.name].reads}


def _is_current(run: Any, projections: Mapping[str, Projection]) -> bool:
    """Tables of another version are left as they are until the new version's are ready."""
    projection = projections.get(run.name)
    return projection is not None and projection.version == run.projection_version


def retry_blocked_key(name: str, key: str, uow: UnitOfWork) -> int:
    """Apply what waits behind a blocked key; how many facts were applied. Where another one cannot be
    applied the key is blocked by that one.

    Raises UnknownProjection, KeyNotBlocked.
    """
    projection = use_cases.known(PROJECTIONS, name)
    with uow:
        first, last = use_cases.blocked_from(name, key, uow)
        return use_cases.unblock(projection, key, facts_of_key(uow.session, key, first, last), uow)


def skip_blocked_fact(name: str, key: str, reason: str, uow: UnitOfWork) -> int:
    """Leave out the fact that blocks a key and apply what waits behind it; how many facts were applied.

    Raises UnknownProjection, KeyNotBlocked.
    """
    with uow:
        use_cases.skip_fact(name, key, reason, uow)
        return retry_blocked_key(name, key, uow)
