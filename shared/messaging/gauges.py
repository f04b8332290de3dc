"""Gauges: figures of records that only SQL knows, measured every 10 s by the bus process.

Those of the plumbing are here; a service lists its own (`orders waiting for the ERP`) in its wiring.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Executable, text

from shared.db.engine import Database
from shared.messaging.loop import Loop
from shared.observability.metrics import metrics

__all__ = ["Gauge", "GaugeLoop"]


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure by labels: `query` gives rows of one column `value` and, for each label, a column of its name.

    It runs every 10 s for ever, so it reads an index, not a table. `unit` is a UCUM code such as `s` or `By`.
    """

    name: str
    says: str
    query: Executable
    unit: str = ""


_PLUMBING = (
    Gauge(
        "crm.outside_commands",
        "Calls to the outside that are not done",
        text(
            "SELECT kind, state, count(*) AS value FROM outside_commands"
            " WHERE state IN ('queued', 'running', 'in_doubt') GROUP BY kind, state"
        ),
    ),
    Gauge(
        "crm.outside_commands.oldest_age",
        "Age of the oldest of them",
        text(
            "SELECT kind, state, extract(epoch FROM clock_timestamp() - min(created_at)) AS value"
            " FROM outside_commands WHERE state IN ('queued', 'running', 'in_doubt') GROUP BY kind, state"
        ),
        unit="s",
    ),
    Gauge(
        "crm.database.size",
        "What the service's database takes on the disk",
        text("SELECT pg_database_size(current_database()) AS value"),
        unit="By",
    ),
)


class GaugeLoop(Loop):
    """Measures the plumbing's gauges and `gauges`."""

    def __init__(self, database: Database, gauges: Iterable[Gauge]) -> None:
        super().__init__("gauges", interval=10.0)
        self._database = database
        self._gauges = (*_PLUMBING, *gauges)

    def step(self) -> bool:
        with self._database.session() as session:
            for gauge in self._gauges:
                values = {}
                for row in session.execute(gauge.query).mappings():
                    labels = tuple((name, str(row[name])) for name in row if name != "value")
                    values[labels] = float(row["value"])
                metrics.records_measured(gauge.name, gauge.says, values, unit=gauge.unit)
        return False
