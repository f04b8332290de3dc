"""Gauges of records: what SQL sees is what the metrics page says."""

from __future__ import annotations

from sqlalchemy import text

from shared.kernel.cause import Cause, caused_by
from shared.kernel.ids import new_id
from shared.messaging.gauges import Gauge, GaugeLoop
from shared.observability.metrics import metrics_page
from shared.service import Runtime


def _page() -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in metrics_page().decode().splitlines() if line[:1] != "#"]
    return {name: float(value) for name, value in lines}


def test_open_calls_are_counted_by_kind_and_state_and_done_ones_are_not(erp: Runtime) -> None:
    with caused_by(Cause(new_id(), "system:tests", "test")), erp.unit_of_work() as uow:
        doubtful, _, done = (uow.commands.add("mail", key, {}) for key in "abc")
    with erp.database.session() as session, session.begin():
        change = text("UPDATE outside_commands SET state = :state, created_at = now() WHERE id = :id")
        session.execute(change, {"state": "in_doubt", "id": doubtful})
        session.execute(change, {"state": "done", "id": done})
    loop = GaugeLoop(erp.database, ())
    assert loop.step() is False
    page = _page()
    counts = {name: value for name, value in page.items() if name.startswith("crm_outside_commands{")}
    assert counts == {
        'crm_outside_commands{kind="mail",state="in_doubt"}': 1,
        'crm_outside_commands{kind="mail",state="queued"}': 1,
    }
    assert 0 <= page['crm_outside_commands_oldest_age_seconds{kind="mail",state="in_doubt"}'] < 600
    assert page["crm_database_size_bytes"] > 1_000_000


def test_a_service_measures_records_of_its_own(erp: Runtime) -> None:
    gauge = Gauge(
        "crm.test.rows", "Rows", text("SELECT state, 3 AS value FROM (VALUES ('open')) AS t (state)")
    )
    GaugeLoop(erp.database, (gauge,)).step()
    assert _page()['crm_test_rows{state="open"}'] == 3
