"""Replays asked for over HTTP: a command that the bus process carries out, because only it talks to the
broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import update

from shared.db.plumbing import OUTSIDE_COMMANDS
from shared.messaging.commands import Command
from shared.messaging.replay import ReplayResult, note, replay

if TYPE_CHECKING:
    from shared.db.unit_of_work import UnitOfWork
    from shared.messaging.transport import Transport
    from shared.service import Runtime

__all__ = ["REPLAY", "ReplayCall"]

REPLAY = "bus.replay"


class ReplayCall:
    """Carries out `{"topic", "from_time" or "key", "dry_run"}`; the result is added to the command's
    payload."""

    # Replayed facts keep their ids, so an interrupted replay is simply done again.
    can_find = True

    def __init__(self, runtime: Runtime, open_transport: Callable[[], Transport]) -> None:
        self._runtime = runtime
        self._open_transport = open_transport

    def find(self, command: Command) -> None:
        """Nothing is known of an earlier try."""

    def perform(self, command: Command) -> ReplayResult:
        """Read the topic and store what the service lacks."""
        request = command.payload
        since = request.get("from_time")
        return replay(
            self._open_transport(),
            self._runtime.settings.database_url,
            self._runtime.service.arrivals(),
            self._runtime.clock,
            topic=request["topic"],
            since=None if since is None else datetime.fromisoformat(since),
            key=request.get("key"),
            dry_run=request["dry_run"],
        )

    def record(self, command: Command, result: ReplayResult, uow: UnitOfWork) -> None:
        """Keep the counts beside the request."""
        note(uow, command.payload["topic"], result)
        uow.session.execute(
            update(OUTSIDE_COMMANDS)
            .where(OUTSIDE_COMMANDS.c.id == command.id)
            .values(payload={**command.payload, "result": asdict(result)})
        )

    def record_failure(self, command: Command, error: BaseException, uow: UnitOfWork) -> None:
        """The command's own last_error says it all."""
