"""The formulas, with exact values: addresses, signals, likeness, score, fit, temperature, working time."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.marketing import scoring
from services.marketing.addresses import company_domain, email_key, fold, fold_company, phone_e164
from services.marketing.duplicates import Identity, compare, name_similarity, precedence
from services.marketing.genuineness import POINTS, Evidence, examine, is_random_name, verdict_of
from services.marketing.working_hours import add_working_time

MONTH = 30 * 24 * 3600
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
WEIGHTS = {"form": 50.0, "demo_request": 80.0, "click": 5.0, "attended": 10.0, "unsubscribed": -50.0}


def did(kind: str, days_ago: float, *, is_machine: bool = False) -> scoring.Behaviour:
    return scoring.Behaviour(uuid.uuid4(), kind, JUNE - timedelta(days=days_ago), is_machine)


def score(*behaviours: scoring.Behaviour, at: datetime = JUNE, **caps: int) -> float:
    return scoring.behaviour_score(behaviours, WEIGHTS, caps, MONTH, at)[0]


# -- addresses ----------


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Ines.Brandt@Acme.Example", "ines.brandt@acme.example"),
        ("Ines.Brandt+fair@GoogleMail.com", "inesbrandt@gmail.com"),
        ("ines@müller.de", "ines@xn--mller-kva.de"),
        ("a..b@x.de", None),
        ("x@host.test", None),
        ("nobody", None),
        ("", None),
        (None, None),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(typed: str | None, key: str | None) -> None:
    assert email_key(typed) == key


@given(st.text(max_size=40))
def test_a_key_is_its_own_key(typed: str) -> None:
    key = email_key(typed)
    assert key is None or email_key(key) == key


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("a@acme.example", "acme.example"),
        ("a@gmail.com", None),
        ("a@mail.mailinator.com", None),
        (None, None),
    ],
)
def test_only_a_company_has_a_domain(key: str | None, domain: str | None) -> None:
    assert company_domain(key) == domain


@pytest.mark.parametrize(
    ("typed", "country", "number"),
    [
        ("030 123456", "DE", "+4930123456"),
        ("+49 (30) 123456", None, "+4930123456"),
        ("+49 12345", "DE", None),
        ("030 123456", None, None),
        ("call me", "DE", None),
        (None, "DE", None),
    ],
)
def test_numbers_are_read_in_their_country(
    typed: str | None, country: str | None, number: str | None
) -> None:
    assert phone_e164(typed, country) == number


def test_names_are_folded() -> None:
    assert fold("Anna-Maria", "Müller") == "anna maria muller"
    assert fold_company("ACME Robotics, GmbH") == fold_company("Acme Robotics") == "acme robotics"
    assert fold_company("GmbH") == "gmbh"
    assert fold_company(None) == ""


# -- genuineness ----------


def test_a_throw_away_mailbox_and_a_wrong_number_are_fake() -> None:
    finding = examine(Evidence(email="joe@mailinator.com", phone="+49 12345"))
    assert (finding.value, finding.points) == ("fake", 85)
    assert [(r.code, r.points, r.seen) for r in finding.reasons] == [
        ("disposable_domain", 60, "mailinator.com"),
        ("phone_invalid", 25, "+49 12345"),
    ]
    assert finding.unchecked == ("mail_domain",)


def test_small_doubts_add_up_and_stay_genuine() -> None:
    finding = examine(Evidence(given_name="asdfgh", email="info@gmail.com", company="Acme"))
    assert (finding.value, finding.points) == ("genuine", 35)
    assert [r.code for r in finding.reasons] == ["free_mailbox", "role_mailbox", "random_name"]


@pytest.mark.parametrize(
    ("evidence", "codes"),
    [
        ({"honeypot_filled": True}, ["honeypot"]),
        ({"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, ["crawler"]),
        ({"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"}, []),
        ({"fill_seconds": 1.9}, ["too_fast"]),
        ({"fill_seconds": 2.0}, []),
        ({"recent_submissions": 5}, []),
        ({"recent_submissions": 6}, ["ip_velocity"]),
        ({"email": "a..b@x.de"}, ["email_syntax"]),
        ({"email": None}, ["no_address"]),
        ({"given_name": "<a href=x>"}, ["markup_in_name"]),
        ({"family_name": "see www.acme.example"}, ["markup_in_name"]),
        ({"phone": "+4930123456", "country": "FR"}, ["phone_country"]),
        ({"phone": "030 123456", "country": "DE"}, []),
        ({"email": "ines@gmail.com"}, []),
    ],
)
def test_each_signal_has_its_trigger(evidence: dict[str, object], codes: list[str]) -> None:
    finding = examine(Evidence(**{"email": "ines@acme.example", **evidence}))  # type: ignore[arg-type]
    assert [reason.code for reason in finding.reasons] == codes
    assert finding.points == min(100, sum(POINTS[code] for code in codes))


def test_a_form_without_a_token_is_not_held_against_anybody() -> None:
    finding = examine(Evidence(email="ines@acme.example", is_form=True))
    assert (finding.points, finding.unchecked) == (0, ("mail_domain", "fill_time"))


@pytest.mark.parametrize(
    ("points", "value"), [(0, "genuine"), (39, "genuine"), (40, "suspect"), (79, "suspect"), (80, "fake")]
)
def test_the_verdict_turns_at_40_and_80(points: int, value: str) -> None:
    assert verdict_of(points) == value


@pytest.mark.parametrize("name", ["asdfgh", "poiuz tréwq", "aaaa b", "Xkcdfgh", "Lkjhg"])
def test_names_typed_at_random(name: str) -> None:
    assert is_random_name(name)


@pytest.mark.parametrize(
    "name", ["Schwarz", "Lynch", "Brandt", "Asdf", "Rhythms", "Müller-Lüdenscheidt", None]
)
def test_names_of_people(name: str | None) -> None:
    assert not is_random_name(name)


# -- doubles ----------


def person(name: str = "ines brandt", **values: object) -> Identity:
    nothing = {"email_key": None, "phone_e164": None, "domain": None, "folded_company": ""}
    return Identity(folded_name=name, **{**nothing, **values})  # type: ignore[arg-type]


def test_the_order_of_names_does_not_matter() -> None:
    assert name_similarity(fold("Anna-Maria Müller"), fold("Mueller Anna Maria")) == 97.14
    assert name_similarity("", "ines brandt") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "level", "score_", "signals"),
    [
        (
            person("a", email_key="x@y.example"),
            person("b", email_key="x@y.example"),
            "certain",
            100.0,
            ("email",),
        ),
        (
            person(phone_e164="+1"),
            person("brandt ines", phone_e164="+1"),
            "certain",
            100.0,
            ("phone", "name"),
        ),
        (person(phone_e164="+1"), person("otto kern", phone_e164="+1"), "possible", 30.0, ("phone",)),
        (person(domain="y.example"), person(domain="y.example"), "probable", 100.0, ("name", "domain")),
        (
            person(folded_company="acme"),
            person(folded_company="acme"),
            "probable",
            100.0,
            ("name", "company"),
        ),
    ],
)
def test_how_sure_two_leads_are_one_person(
    one: Identity, other: Identity, level: str, score_: float, signals: tuple[str, ...]
) -> None:
    likeness = compare(one, other)
    assert likeness is not None
    assert (likeness.level, likeness.score, likeness.signals) == (level, score_, signals)
    assert compare(other, one) == likeness


@pytest.mark.parametrize(
    "other",
    [person(), person("otto kern", domain="y.example"), person(email_key="other@y.example")],
)
def test_a_name_or_a_company_alone_says_nothing(other: Identity) -> None:
    assert compare(person(domain="y.example", email_key="x@y.example"), other) is None


def test_the_lead_that_went_furthest_goes_on_then_the_older_then_the_smaller_id() -> None:
    ids = sorted(uuid.uuid4() for _ in range(2))
    later = JUNE + timedelta(seconds=1)
    assert precedence("qualified", later, ids[1]) < precedence("open", JUNE, ids[0])
    assert precedence("open", JUNE, ids[1]) < precedence("open", later, ids[0])
    assert precedence("open", JUNE, ids[0]) < precedence("open", JUNE, ids[1])


# -- score ----------


def test_a_score_fades_by_its_half_life() -> None:
    behaviours = (did("form", 30), did("click", 15), did("attended", 7.5))
    total, parts = scoring.behaviour_score(behaviours, WEIGHTS, {}, MONTH, JUNE)
    assert round(total, 2) == 36.94
    assert [(p.type, round(p.value, 4)) for p in parts] == [
        ("form", 25.0),
        ("click", 3.5355),
        ("attended", 8.409),
    ]
    assert round(score(*behaviours, at=JUNE + timedelta(days=30)), 2) == 18.47


def test_a_day_counts_its_first_behaviours_only_up_to_the_cap() -> None:
    clicks = [did("click", 0.1), did("click", 0.2), did("click", 0.3), did("click", 1.1)]
    assert math.isclose(
        score(*clicks, click=2), 5 * sum(2 ** (-days / 30) for days in (0.3, 0.2, 1.1)), rel_tol=1e-12
    )


def test_machines_unknown_types_and_the_future_do_not_count() -> None:
    assert score(did("form", 1, is_machine=True), did("yawned", 1), did("form", -1)) == 0.0
    assert score(did("unsubscribed", 0)) == -50.0


@given(
    st.lists(st.tuples(st.sampled_from(sorted(WEIGHTS)), st.floats(0, 400)), max_size=20), st.floats(0, 200)
)
def test_what_is_stored_and_what_is_reckoned_anew_agree(done: list[tuple[str, float]], later: float) -> None:
    behaviours = [did(kind, days) for kind, days in done]
    at = JUNE + timedelta(days=later)
    stored = scoring.decayed(score(*behaviours), JUNE, at, MONTH)
    assert math.isclose(stored, score(*behaviours, at=at), rel_tol=1e-9, abs_tol=1e-9)


def test_the_instant_of_cooling() -> None:
    total = score(did("form", 30), did("click", 15), did("attended", 7.5))
    instant = scoring.cools_at(total, JUNE, 25.0, MONTH)
    assert instant is not None
    assert instant.replace(microsecond=0) == datetime(2026, 6, 17, 21, 40, 14, tzinfo=UTC)
    assert scoring.cools_at(25.0, JUNE, 25.0, MONTH) is None
    assert scoring.cools_at(30.0, JUNE, 0.0, MONTH) is None


@given(st.floats(25.001, 1000))
def test_at_the_timer_the_rounded_score_is_below_the_threshold(start: float) -> None:
    at = scoring.falls_below_at(start, JUNE, 25.0, MONTH)
    assert at is not None
    assert scoring.rounded(scoring.decayed(start, JUNE, at, MONTH)) < Decimal(25)
    before = at - timedelta(seconds=2)
    assert before < JUNE or scoring.rounded(scoring.decayed(start, JUNE, before, MONTH)) >= Decimal(25)


@pytest.mark.parametrize(
    ("value", "grade", "is_genuine", "temperature"),
    [
        (60.0, "B", True, "hot"),
        (59.99996, "A", True, "hot"),
        (59.9999, "A", True, "warm"),
        (60.0, "C", True, "warm"),
        (25.0, "D", True, "warm"),
        (24.9999, "A", True, "cold"),
        (90.0, "F", True, "cold"),
        (90.0, "A", False, "cold"),
    ],
)
def test_temperature(value: float, grade: str, is_genuine: bool, temperature: str) -> None:
    found = scoring.temperature_of(value, grade, is_genuine=is_genuine, warm_from=25.0, hot_from=60.0)
    assert found == temperature


@pytest.mark.parametrize(
    ("points", "grade"), [(80, "A"), (79, "B"), (60, "B"), (40, "C"), (20, "D"), (19, "F")]
)
def test_grades(points: int, grade: str) -> None:
    assert scoring.grade_of(points) == grade


def criterion(
    key: str, field: str, operator: str, value: object, points: int, **more: bool
) -> dict[str, object]:
    return {
        "key": key,
        "field": field,
        "operator": operator,
        "value": value,
        "points": points,
        "excludes": False,
    } | more


CRITERIA = [
    criterion("size", "employee_count", "at_least", 50, 40),
    criterion("trade", "industry", "is_in", ["Machinery"], 30),
    criterion("decides", "title", "contains", ["head"], 20),
    criterion("small", "employee_count", "at_most", 5, -10),
    criterion("rival", "company_domain", "is_in", ["rival.example"], 0, excludes=True),
]


def test_fit_adds_what_matches_and_says_what_it_saw() -> None:
    found = scoring.fit(
        CRITERIA, {"employee_count": 240, "industry": "machinery", "title": "Head of Production"}
    )
    assert (found.points, found.grade, found.coverage) == (90, "A", 0.8)
    assert found.matched[0] == {"key": "size", "points": 40, "seen": "240"}
    assert [each["key"] for each in found.matched] == ["size", "trade", "decides"]


def test_fit_never_falls_below_zero_and_a_rival_is_f() -> None:
    assert scoring.fit(CRITERIA, {"employee_count": 3}).points == 0
    rival = {
        "employee_count": 500,
        "industry": "machinery",
        "title": "head",
        "company_domain": "rival.example",
    }
    assert (scoring.fit(CRITERIA, rival).points, scoring.fit(CRITERIA, rival).grade) == (90, "F")
    assert scoring.fit([], {}).coverage == 1.0


# -- working time ----------

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-03-02T09:00+01:00", 4, "2026-03-02T13:00+01:00"),
        ("2026-03-02T05:00+01:00", 4, "2026-03-02T13:00+01:00"),
        ("2026-03-02T15:00+01:00", 4, "2026-03-03T11:00+01:00"),
        ("2026-03-06T15:00+01:00", 4, "2026-03-09T11:00+01:00"),
        ("2026-03-07T12:00+01:00", 4, "2026-03-09T13:00+01:00"),
        ("2026-03-02T13:00+01:00", 4, "2026-03-02T17:00+01:00"),
        ("2026-03-27T16:00+01:00", 2, "2026-03-30T10:00+02:00"),
        ("2026-03-02T09:00+01:00", 20, "2026-03-04T13:00+01:00"),
    ],
)
def test_deadlines_count_working_time_only(start: str, hours: int, end: str) -> None:
    found = add_working_time(datetime.fromisoformat(start), timedelta(hours=hours), BERLIN)
    assert found == datetime.fromisoformat(end)
