"""Key figures over HTTP, with exact values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.kernel.ids import new_id
from tests.analytics.world import (
    NOW,
    Analytics,
    Deal,
    Told,
    account,
    days,
    euros,
    example,
    instant,
    line,
    order,
    person,
    product,
    team,
)


def rate(currency: str, value: str, valid_from: str) -> Told:
    subject = str(new_id())
    data = example(
        "identity/exchange_rate.published.v1/typical",
        exchange_rate_id=subject,
        currency=currency,
        rate=value,
        valid_from=valid_from,
    )
    return Told("crm.identity.exchange_rate.published.v1", data, subject)


def test_every_figure_has_a_definition(analytics: Analytics) -> None:
    found = {kpi["name"]: kpi for kpi in analytics.get("/v1/kpis")["items"]}
    assert set(found) == {
        *("open_pipeline", "weighted_pipeline", "open_count", "won_amount", "won_count", "lost_count"),
        *("win_rate", "average_deal", "bookings", "order_rejection_rate", "invoiced_amount", "paid_amount"),
    }
    assert found["win_rate"]["formula"] == "won_count / (won_count + lost_count)"
    assert found["win_rate"]["unit"] == "percent"
    assert found["open_pipeline"]["additivity"] == "last"
    assert [d["name"] for d in found["bookings"]["dimensions"]] == [
        *("agent", "manager", "region", "product", "quarter", "sector")
    ]
    assert all(kpi["definition"] and kpi["label"] for kpi in found.values())


def test_an_amount_is_weighted_and_rounded_per_deal_and_then_added(analytics: Analytics) -> None:
    deals = [
        Deal(amount="1000.05", probability_bp=3000),
        Deal(amount="304.56", probability_bp=2500),
        Deal(amount="99.99", probability_bp=5000),
    ]
    analytics.tell(*(deal.tell("created") for deal in deals))
    # 300.02 + 76.14 + 50.00; rounding only the sum would give 426.15.
    assert analytics.points("weighted_pipeline") == {None: "426.16"}
    assert analytics.points("open_pipeline") == {None: "1404.60"}
    assert analytics.points("open_count") == {None: "3"}


def test_closed_deals_count_on_the_day_they_were_closed(analytics: Analytics) -> None:
    won, small, lost = (
        Deal(amount="900.00", close_date="2026-01-31"),
        Deal(amount="100.05", close_date="2026-03-01"),
        Deal(amount="5000.00", close_date="2026-03-02"),
    )
    analytics.tell(won.tell("created"), small.tell("created"), lost.tell("created"))
    analytics.tell(won.tell("won"), small.tell("won"), lost.tell("lost"))
    assert analytics.points("won_amount") == {None: "1000.05"}
    assert analytics.points("average_deal") == {None: "500.03"}
    assert analytics.points("win_rate") == {None: "66.67"}
    months = {"from": "2026-01-01", "to": "2026-04-01", "grain": "month"}
    assert analytics.points("won_amount", **months) == {
        None: {"2026-01": "900.00", "2026-02": "0.00", "2026-03": "100.05"}
    }
    # Nothing closed: a rate of nothing is no rate.
    assert analytics.points("win_rate", **months) == {
        None: {"2026-01": "100.00", "2026-02": None, "2026-03": "50.00"}
    }
    assert analytics.points("lost_count", **months)[None] == {"2026-01": "0", "2026-02": "0", "2026-03": "1"}
    # The end is not part of the period.
    assert analytics.points("won_count", from_="2026-01-31", to="2026-03-01") == {None: "1"}


def test_a_deal_that_is_opened_again_is_no_longer_won(analytics: Analytics) -> None:
    deal = Deal(amount="900.00", close_date="2026-01-31")
    analytics.tell(deal.tell("created"), deal.tell("won"), deal.tell("reopened", days(1)))
    assert analytics.points("won_amount") == {None: "0.00"}
    assert analytics.points("win_rate") == {None: None}
    assert analytics.points("open_pipeline") == {None: "900.00"}


def test_figures_are_cut_by_people_products_sectors_and_quarters(analytics: Analytics) -> None:
    ada, ben, cleo, north, acme, robot, arm = (str(new_id()) for _ in range(7))
    first = Deal(
        owner_id=ada,
        account_id=acme,
        amount="100.00",
        close_date="2026-01-10",
        # Two thirds and one third: what is left over goes to the larger remainder, the sum is exact.
        lines=[line(robot, "80.00"), line(arm, "40.00")],
    )
    second = Deal(owner_id=ben, account_id=None, amount="50.00", close_date="2026-05-10")
    analytics.tell(
        team(north, "North"),
        person(ada, "Ada", manager_id=cleo, team_ids=[north]),
        person(ben, "Ben", manager_id=cleo),
        person(cleo, "Cleo"),
        account(acme, "Acme", sector="medical"),
        product(robot, "Robot"),
        first.tell("created"),
        first.tell("won"),
        second.tell("created"),
        second.tell("lost"),
    )
    assert analytics.points("won_amount", by="agent") == {"Ada": "100.00", "Ben": "0.00"}
    assert analytics.points("win_rate", by="agent") == {"Ada": "100.00", "Ben": "0.00"}
    assert analytics.points("win_rate", by="manager") == {"Cleo": "50.00"}
    assert analytics.points("won_count", by="region") == {"North": "1", None: "0"}
    assert analytics.points("won_amount", by="product") == {"Robot": "66.67", arm: "33.33", None: "0.00"}
    assert analytics.points("won_count", by="sector") == {"medical": "1", None: "0"}
    assert analytics.points("lost_count", by="quarter") == {"2026-Q1": "0", "2026-Q2": "1"}
    # Teams are what they are now: Ada moves, and her deals with her.
    analytics.tell(
        Told(
            "crm.identity.user.changed.v1",
            {**example("identity/user.changed.v1/typical", user_id=ada, display_name="Ada"), "team_ids": []},
            ada,
            version=2,
        )
    )
    assert analytics.points("won_count", by="region") == {None: "1"}


def test_imported_history_is_booked_at_its_business_date(analytics: Analytics) -> None:
    deal = Deal(amount="1054.00", close_date="2017-03-01", origin="import")
    analytics.tell(
        deal.tell("created", datetime(2016, 10, 20, tzinfo=UTC)),
        deal.tell("won", datetime(2017, 3, 1, tzinfo=UTC)),
    )
    quarters = {"from": "2016-07-01", "to": "2017-07-01", "grain": "quarter"}
    assert analytics.points("won_amount", **quarters)[None] == {
        "2016-Q3": "0.00",
        "2016-Q4": "0.00",
        "2017-Q1": "1054.00",
        "2017-Q2": "0.00",
    }
    # What was open at the end of each quarter, though all of it was recorded years later.
    assert analytics.points("open_pipeline", **quarters)[None] == {
        "2016-Q3": "0.00",
        "2016-Q4": "1054.00",
        "2017-Q1": "0.00",
        "2017-Q2": "0.00",
    }


def test_a_state_is_shown_at_the_end_of_its_bucket_and_not_in_the_future(analytics: Analytics) -> None:
    deal = Deal(amount="100.00")
    created, changed = deal.tell("created", days(-40)), deal.tell("stage_changed", days(-3), stage="final")
    deal.amount = "250.00"
    analytics.tell(created, changed, deal.tell("changed", days(-1)))
    # The present of the tests is 2 March 2026.
    assert analytics.points("open_pipeline", from_="2026-01-01", to="2026-05-01", grain="month")[None] == {
        "2026-01": "100.00",
        "2026-02": "100.00",
        "2026-03": "250.00",
        "2026-04": None,
    }
    assert analytics.points("open_pipeline", to="2026-03-01") == {None: "100.00"}
    stages = analytics.points("open_count", from_="2026-02-01", to="2026-04-01", grain="month", by="stage")
    assert stages == {
        "final": {"2026-02": "1", "2026-03": "0"},
        "quotation_sent": {"2026-02": "0", "2026-03": "1"},
    }


def test_late_facts_never_make_intervals_overlap(analytics: Analytics) -> None:
    """The second version claims to hold from before the first: it holds from the first's day on."""
    deal = Deal(amount="100.00")
    first = deal.tell("created", days(-10))
    deal.amount = "300.00"
    analytics.tell(first, deal.tell("changed", days(-20)))
    assert analytics.points("open_pipeline", to="2026-02-15") == {None: "0.00"}
    assert analytics.points("open_pipeline", to="2026-02-22") == {None: "300.00"}


def test_bookings_are_taken_back_on_the_day_of_the_rejection(analytics: Analytics) -> None:
    first, second = str(new_id()), str(new_id())
    analytics.tell(
        order(first, "submitted", 1, days(-40)),
        order(first, "acknowledged", 2, days(-39)),
        order(first, "cancelled", 3, days(-1), state="cancelled"),
        order(second, "submitted", 1, days(-5)),
        order(second, "rejected", 2, days(-4)),
    )
    months = {"from": "2026-01-01", "to": "2026-04-01", "grain": "month"}
    assert analytics.points("bookings", **months)[None] == {
        "2026-01": "24605.78",
        "2026-02": "0.00",
        "2026-03": "-24605.78",
    }
    assert analytics.points("bookings") == {None: "0.00"}
    assert analytics.points("order_rejection_rate") == {None: "50.00"}
    assert analytics.points("order_rejection_rate", **months)[None] == {
        "2026-01": "0.00",
        "2026-02": "100.00",
        "2026-03": None,
    }


def test_what_the_erp_confirms_in_part_is_booked_in_part(analytics: Analytics) -> None:
    order_id, robot = str(new_id()), str(new_id())
    told = order(order_id, "acknowledged", 1, days(-1))
    lines = [
        {**told.data["lines"][0], "product_id": robot, "quantity": "24", "confirmed": "20"},
        {**told.data["lines"][1], "confirmed": "0"},
    ]
    analytics.tell(product(robot, "Robot"), order(order_id, "acknowledged", 1, days(-1), lines=lines))
    # 20559.38 x 20 / 24 = 17132.8166...
    assert analytics.points("bookings") == {None: "17132.82"}
    assert analytics.points("bookings", by="product") == {"Robot": "17132.82"}


def test_invoices_and_payments_are_added_step_by_step(analytics: Analytics) -> None:
    order_id = str(new_id())
    analytics.tell(
        order(order_id, "acknowledged", 1, days(-9)),
        order(order_id, "invoiced", 2, days(-3), amount=euros("100.10"), cumulative=euros("100.10")),
        order(order_id, "invoiced", 3, days(-2), amount=euros("20.00"), cumulative=euros("120.10")),
        order(order_id, "paid", 4, days(-1), amount=euros("50.00"), cumulative=euros("50.00")),
    )
    assert analytics.points("invoiced_amount") == {None: "120.10"}
    assert analytics.points("paid_amount") == {None: "50.00"}


def test_foreign_amounts_go_by_the_rate_of_their_day(analytics: Analytics) -> None:
    order_id, unknown = str(new_id()), str(new_id())
    dollars = {"currency": "USD"}
    usual = order(order_id, "acknowledged", 1, days(-9))
    lines = [{**usual.data["lines"][0], "net": {"amount": "333.33", **dollars}}]
    changes = {"currency": "USD", "lines": lines, "net_total": {"amount": "333.33", **dollars}}
    analytics.tell(
        rate("USD", "0.9137", "2026-01-01"),
        rate("USD", "0.5", "2026-03-01"),
        order(order_id, "acknowledged", 1, days(-9), **changes),
        order(unknown, "acknowledged", 1, datetime(2025, 1, 1, tzinfo=UTC), **changes),
    )
    answer = analytics.get("/v1/kpis/bookings/values")
    # 333.33 x 0.9137 = 304.56; the other order is from before the first rate: left out, and counted as that.
    assert answer["series"] == [{"key": None, "label": None, "points": [["all", "304.56"]]}]
    assert answer["coverage"] == {"records": 2, "unconverted": 1}
    deal = Deal(amount="10.00")
    analytics.tell(deal.tell("created", base_amount=None))
    answer = analytics.get("/v1/kpis/open_pipeline/values")
    assert answer["series"][0]["points"] == [["all", "0.00"]]
    assert answer["coverage"] == {"records": 1, "unconverted": 1}


def test_the_company_zone_decides_the_day_of_an_order(analytics: Analytics) -> None:
    company = str(new_id())
    data = example("identity/organisation.changed.v1/typical", organisation_id=company)
    late = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    analytics.tell(
        Told("crm.identity.organisation.changed.v1", data, company),
        order(str(new_id()), "acknowledged", 1, late),
    )
    # 23:30 in UTC is half an hour into March in Berlin.
    found = analytics.points("bookings", from_="2026-02-01", to="2026-04-01", grain="month")
    assert found == {None: {"2026-02": "0.00", "2026-03": "24605.78"}}
    assert analytics.get("/v1/kpis/bookings/values")["zone"] == "Europe/Berlin"


def test_a_figure_counts_what_the_caller_may_see(analytics: Analytics) -> None:
    ada, ben, cleo = (str(new_id()) for _ in range(3))
    analytics.tell(
        person(ada, "Ada", manager_id=cleo),
        person(ben, "Ben"),
        person(cleo, "Cleo"),
        Deal(owner_id=ada, amount="1.00").tell("created"),
        Deal(owner_id=ben, amount="20.00").tell("created"),
        Deal(owner_id=cleo, amount="300.00").tell("created"),
    )
    path = "/v1/kpis/open_pipeline/values"
    seen = {
        (who, reach): analytics.get(path, as_=who, reach=reach)
        for who, reach in ((ada, "own"), (cleo, "team"), (ben, "all"))
    }
    assert [(a["scope"], a["series"][0]["points"]) for a in seen.values()] == [
        ("own", [["all", "1.00"]]),
        ("team", [["all", "301.00"]]),
        ("all", [["all", "321.00"]]),
    ]
    assert analytics.get("/v1/pipeline-summary", as_=ada, reach="own")["open_pipeline"] == "1.00"
    assert analytics.get("/v1/pipeline-summary", as_=cleo, reach="team")["open_count"] == 2


def test_the_summary_agrees_with_the_figures(analytics: Analytics) -> None:
    pipeline = example("sales/pipeline.changed.v1/typical")
    won, lost = Deal(amount="70.00"), Deal()
    analytics.tell(
        Told("crm.sales.pipeline.changed.v1", pipeline, pipeline["pipeline_id"]),
        Deal(amount="10.00", probability_bp=1000).tell("created", stage="final"),
        Deal(amount="20.00", probability_bp=1000).tell("created", stage="initiation"),
        Deal(amount=None).tell("created", stage="initiation"),
        won.tell("won"),
        lost.tell("lost"),
    )
    summary = analytics.get("/v1/pipeline-summary")
    assert summary["stages"] == [
        {"stage": "initiation", "name": "Initiation", "count": 2, "amount": "20.00", "weighted": "2.00"},
        {"stage": "final", "name": "Final", "count": 1, "amount": "10.00", "weighted": "1.00"},
    ]
    assert (summary["open_count"], summary["won_count"], summary["lost_count"]) == (3, 1, 1)
    for kpi in ("open_pipeline", "weighted_pipeline", "won_amount", "win_rate", "average_deal"):
        assert analytics.points(kpi) == {None: summary[kpi]}
    assert summary["coverage"] == {"records": 5, "unconverted": 0}


def test_orders_contracts_and_work_orders_are_counted_by_state(analytics: Analytics) -> None:
    order_id, contract, work = str(new_id()), str(new_id()), str(new_id())
    drafted = example("support/contract.drafted.v1/typical", contract_id=contract)
    created = example("fieldservice/work_order.created.v1/typical", work_order_id=work)
    cancelled = example("fieldservice/work_order.cancelled.v1/typical", work_order_id=work)
    analytics.tell(
        order(order_id, "submitted", 1, NOW),
        order(order_id, "rejected", 2, NOW),
        Told("crm.support.contract.drafted.v1", drafted, contract),
        # The newer fact arrives first and stays.
        Told("crm.fieldservice.work_order.cancelled.v1", cancelled, work, 2),
        Told("crm.fieldservice.work_order.created.v1", created, work, 1),
    )
    summary = analytics.get("/v1/order-summary")
    assert summary["orders"] == [{"state": "rejected", "fulfilment": "none", "billing": "none", "count": 1}]
    assert summary["steps"] == [{"step": "rejected", "count": 1}, {"step": "submitted", "count": 1}]
    assert summary["contracts"] == [{"state": "draft", "count": 1}]
    assert summary["work_orders"] == [{"kind": "install", "state": "cancelled", "count": 1}]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"by": "planet"}, "/by"),
        ({"grain": "month"}, "/grain"),
        ({"from": "2026-02-01", "to": "2026-02-01"}, "/to"),
        ({"from": "2000-01-01", "to": "2026-01-01", "grain": "day"}, "/grain"),
        ({"from": "yesterday"}, "/from"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_wrong_question_is_refused_at_its_pointer(
    analytics: Analytics, query: dict[str, str], pointer: str
) -> None:
    answer = analytics.get("/v1/kpis/won_amount/values", 422, **query)
    assert [error["pointer"] for error in answer["errors"]] == [pointer]


def test_a_figure_says_what_it_is_cut_by(analytics: Analytics) -> None:
    answer = analytics.get("/v1/kpis/bookings/values", 422, by="stage")
    assert (
        answer["errors"][0]["detail"]
        == "bookings is cut by agent, manager, region, product, quarter, sector."
    )
    answer = analytics.get("/v1/kpis/happiness/values", 404)
    assert answer["type"] == "/problems/unknown-kpi"


def test_too_many_points_name_the_grain_that_would_do(analytics: Analytics) -> None:
    answer = analytics.get(
        "/v1/kpis/won_amount/values", 422, **{"from": "2000-01-01", "to": "2026-01-01", "grain": "day"}
    )
    assert answer["errors"][0]["detail"] == "At most 5000 points. Ask by week."


def test_nothing_known_is_answered_with_nothing(analytics: Analytics) -> None:
    answer = analytics.get("/v1/kpis/won_amount/values")
    assert answer["series"] == [{"key": None, "label": None, "points": [["all", "0.00"]]}]
    assert answer["coverage"] == {"records": 0, "unconverted": 0}
    assert analytics.get("/v1/kpis/won_amount/values", by="agent")["series"] == []
    assert answer["as_of"] == instant(NOW)
    assert (answer["position"], answer["lag_seconds"], answer["stale"]) == (0, 0.0, False)
