"""Blocked keys, rebuilds, and how far projections have read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from services.analytics.database.star_schema import STAR
from services.analytics.facts import PROJECTIONS
from services.analytics.processes.projecting import Projecting
from services.analytics.projection import ArchivedFact, Data, Rows
from shared.kernel.clock import FixedClock
from shared.kernel.ids import new_id
from tests.analytics.world import Analytics, Deal, account, days


def _broken(analytics: Analytics, deal: Deal) -> str:
    """A deal whose second fact no table can hold, and a sound third one; its key."""
    facts = [deal.tell("created"), deal.tell("changed"), deal.tell("stage_changed", days(1))]
    records = [fact.record() for fact in facts]
    # What the producer's own check would have refused.
    records[1] = replace(records[1], value=records[1].value.replace(deal.owner_id.encode(), b"nobody"))
    analytics.arrive(records)
    analytics.catch_up()
    return f"crm.sales.opportunity/{deal.id}"


def _blocked(analytics: Analytics, name: str = "opportunities") -> list[str]:
    return [row["key"] for row in analytics.get(f"/v1/projections/{name}/blocked-keys")["items"]]


def test_a_fact_that_cannot_be_applied_blocks_its_own_key_only(analytics: Analytics) -> None:
    broken, sound = Deal(amount="1.00"), Deal(amount="20.00")
    analytics.archive(sound.tell("created"))
    key = _broken(analytics, broken)
    sound.amount = "30.00"
    analytics.tell(sound.tell("changed", days(1)))
    # The first version of the broken deal stands, the later ones wait; the other deal goes on.
    assert analytics.points("open_pipeline") == {None: "31.00"}
    (row,) = analytics.get("/v1/projections/opportunities/blocked-keys")["items"]
    assert row["key"] == key
    assert "nobody" in row["error"]
    assert _blocked(analytics, "timeline") == []
    runs = {run["name"]: run for run in analytics.get("/v1/projections")["items"]}
    assert {name: run["blocked"] for name, run in runs.items() if run["blocked"]} == {"opportunities": 1}
    assert runs["opportunities"]["lag_positions"] == 0
    assert analytics.rows(
        f"SELECT count(*) FROM opportunity_versions WHERE opportunity_id = '{broken.id}'"
    ) == [(1,)]


def test_a_retry_that_fails_leaves_the_key_blocked(analytics: Analytics) -> None:
    key = _broken(analytics, Deal())
    answer = analytics.post(f"/v1/projections/opportunities/blocked-keys/{key}/retry", 200)
    assert answer["applied"] == 0
    assert [row["key"] for row in answer["items"]] == [key]


def test_a_retry_after_the_cause_is_gone_applies_what_waited(analytics: Analytics) -> None:
    analytics.execute("ALTER TABLE opportunity_versions ADD CONSTRAINT small CHECK (amount < 100)")
    deal, other = Deal(amount="500.00"), Deal(amount="1.00")
    analytics.tell(deal.tell("created"), other.tell("created"), deal.tell("stage_changed", days(1)))
    key = f"crm.sales.opportunity/{deal.id}"
    assert _blocked(analytics) == [key]
    assert analytics.points("open_pipeline") == {None: "1.00"}
    analytics.execute("ALTER TABLE opportunity_versions DROP CONSTRAINT small")
    answer = analytics.post(f"/v1/projections/opportunities/blocked-keys/{key}/retry", 200)
    assert (answer["applied"], answer["items"]) == (2, [])
    assert analytics.points("open_pipeline") == {None: "501.00"}
    # The key is free again.
    deal.amount = "700.00"
    analytics.tell(deal.tell("changed", days(2)))
    assert analytics.points("open_pipeline") == {None: "701.00"}


def test_a_skipped_fact_is_left_out_of_rebuilds_too(analytics: Analytics) -> None:
    deal = Deal(amount="8.00")
    key = _broken(analytics, deal)
    path = f"/v1/projections/opportunities/blocked-keys/{key}/skip"
    assert analytics.post(path, 422, {})["errors"][0]["pointer"] == "/reason"
    answer = analytics.post(path, 200, {"reason": "The owner is no id."})
    assert (answer["applied"], answer["items"]) == (1, [])
    assert analytics.post(path, 404, {"reason": "Again."})["type"] == "/problems/key-not-blocked"
    listed = analytics.get("/v1/projections/opportunities/blocked-keys")
    assert [(row["key"], row["reason"]) for row in listed["skipped"]] == [(key, "The owner is no id.")]
    before = analytics.digest()
    analytics.post("/v1/projections/opportunities/rebuild", 202)
    analytics.catch_up()
    (run,) = [r for r in analytics.get("/v1/projections")["items"] if r["name"] == "opportunities"]
    assert (run["state"], run["blocked"], run["reason"]) == ("live", 0, None)
    assert analytics.digest() == before


def test_a_rebuild_waits_for_blocked_keys(analytics: Analytics) -> None:
    _broken(analytics, Deal())
    answer = analytics.post("/v1/projections/opportunities/rebuild", 409)
    assert answer["type"] == "/problems/keys-are-blocked"


def test_one_rebuild_at_a_time(analytics: Analytics) -> None:
    analytics.tell(Deal().tell("created"))
    started = analytics.post("/v1/projections/opportunities/rebuild", 202)
    assert (started["state"], started["watermark"]) == ("building", 0)
    refused = analytics.post("/v1/projections/opportunities/rebuild", 409)
    assert (refused["type"], refused["state"]) == ("/problems/illegal-state", "building")
    assert (
        analytics.post("/v1/projections/sandcastles/rebuild", 404)["type"] == "/problems/unknown-projection"
    )


def test_a_rebuild_that_differs_fails_and_leaves_the_live_tables_alone(analytics: Analytics) -> None:
    deal = Deal(amount="8.00")
    analytics.tell(deal.tell("created"))
    analytics.execute("UPDATE opportunity_versions SET amount = 9")
    analytics.post("/v1/projections/opportunities/rebuild", 202)
    analytics.catch_up()
    runs = analytics.get("/v1/projections/opportunities")["runs"]
    assert {run["state"] for run in runs} == {"live", "failed"}
    (failed,) = [run for run in runs if run["state"] == "failed"]
    assert failed["reason"].endswith("differ from the live ones: opportunity_versions.")
    assert analytics.points("open_pipeline") == {None: "9.00"}
    assert analytics.rows("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild%'") == [(0,)]


def test_the_tables_keep_their_keys_and_indexes_through_a_rebuild(analytics: Analytics) -> None:
    catalogue = (
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
    )
    analytics.tell(Deal().tell("created"))
    before, oids = analytics.rows(catalogue), analytics.rows("SELECT 'timeline'::regclass::oid")
    for name in PROJECTIONS:
        analytics.post(f"/v1/projections/{name}/rebuild", 202)
    analytics.catch_up()
    assert analytics.rows(catalogue) == before
    assert analytics.rows("SELECT 'timeline'::regclass::oid") != oids
    assert analytics.service.facts() == []


def test_migrations_make_the_tables_that_projections_describe(analytics: Analytics) -> None:
    query = (
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
    )
    stored = [row for row in analytics.rows(query) if row[0] in STAR.tables]
    described = [
        (name, column.name, "YES" if column.nullable else "NO")
        for name in sorted(STAR.tables)
        for column in STAR.tables[name].columns
    ]
    assert stored == described


def test_a_new_version_is_built_beside_the_old_one_and_takes_its_place(analytics: Analytics) -> None:
    first = PROJECTIONS["timeline"]

    def shouted(fact: ArchivedFact, data: Data) -> Rows:
        return [(table, {**row, "summary": row["summary"].upper()}) for table, row in first.rows(fact, data)]

    customer = str(new_id())
    analytics.tell(account(customer, "Acme"))
    projections = {**PROJECTIONS, "timeline": replace(first, version=first.version + 1, rows=shouted)}
    analytics.catch_up(projections)
    (run,) = analytics.get("/v1/projections/timeline")["runs"]
    assert (run["state"], run["projection_version"]) == ("live", first.version + 1)
    (entry,) = analytics.get(f"/v1/customers/{customer}/timeline")["items"]
    assert entry["summary"] == "ACCOUNT CREATED: ACME"


def test_an_answer_says_how_far_behind_it_is(analytics: Analytics, clock: FixedClock) -> None:
    analytics.tell(Deal(amount="1.00").tell("created"))
    fresh = analytics.get("/v1/pipeline-summary")
    assert (fresh["lag_seconds"], fresh["position"]) == (0.0, 1)
    late = Deal(amount="2.00").tell("created")
    analytics.archive(late)
    clock.advance(timedelta(seconds=42))
    behind = analytics.get("/v1/pipeline-summary")
    assert (behind["lag_seconds"], behind["position"], behind["open_pipeline"]) == (42.0, 1, "1.00")
    assert behind["as_of"] == "2026-03-02T09:00:42Z"
    runs = {run["name"]: run for run in analytics.get("/v1/projections")["items"]}
    assert (runs["orders"]["lag_positions"], runs["orders"]["lag_seconds"], runs["orders"]["head"]) == (
        1,
        42.0,
        2,
    )
    stale = analytics.get("/v1/pipeline-summary", after_event=str(late.id), wait_ms=60)
    assert stale["stale"] is True
    analytics.catch_up()
    seen = analytics.get("/v1/pipeline-summary", after_event=str(late.id))
    assert (seen["stale"], seen["position"], seen["open_pipeline"]) == (False, 2, "3.00")


def test_the_loop_takes_in_what_arrives_and_survives_a_lost_connection(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Projecting(analytics.service.runtime)
    assert loop.step() is False
    analytics.archive(Deal(amount="4.00").tell("created"))

    def lost(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("the connection is gone"))

    # What is no fact's fault blocks no key: the whole step is tried again.
    with monkeypatch.context() as patch:
        patch.setattr("services.analytics.projections.use_cases.write_rows", lost)
        with pytest.raises(OperationalError):
            loop.step()
    assert _blocked(analytics) == []
    assert loop.step() is True
    assert loop.step() is False
    assert analytics.points("open_pipeline") == {None: "4.00"}
