"""The start page: what it says about processes and about the demo, whatever state they are in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask.testing import FlaskClient

from services.web.settings import WebSettings
from services.web.start.routes import LOOKOUT
from services.web.start.views import start_page
from services.web.wiring import SERVICE
from shared.observability.lookout import Address, Health, Lookout
from shared.settings import SettingsError
from shared.testing.services import RunningService

RunService = Callable[..., RunningService]

SALES = Address("sales", "http://sales.test", "http://sales-bus.test")
ERP = Address("erp", "http://erp.test", "http://erp-bus.test")
FIGURES = {"crm_outbox_pending": 3, "crm_inbox_ready": 4, "crm_inbox_dead": 1}
METRICS = """# TYPE crm_outbox_pending gauge
crm_outbox_pending 3.0
# TYPE crm_inbox_ready gauge
crm_inbox_ready{consumer="crm.sales"} 4.0
# TYPE crm_inbox_dead gauge
crm_inbox_dead{consumer="crm.sales"} 1.0
# TYPE crm_consumer_lag gauge
crm_consumer_lag{partition="0"} 2.0
crm_consumer_lag{partition="1"} 5.0
# TYPE crm_inbox_oldest_age_seconds gauge
crm_inbox_oldest_age_seconds{consumer="crm.sales"} 2.5
crm_inbox_oldest_age_seconds{consumer="crm.other"} 0.5
# TYPE crm_inbox_duplicates_total counter
crm_inbox_duplicates_total 9.0
"""
STEP = {
    "at": "2026-03-02T10:00:00+00:00",
    "kind": "deed",
    "service": "sales",
    "text": "The customer accepts",
    "ms": 41.6,
    "effects": [],
}
FACT = {
    **STEP,
    "at": "2026-03-02T10:00:01.250000+00:00",
    "kind": "fact",
    "text": "order submitted",
    "ms": None,
    "effects": [{"service": "erp", "ms": 12.4}, {"service": "analytics", "ms": 30.0}],
}
STORY = {
    "bus": "postgres",
    "state": "running",
    "started_at": "2026-03-02T10:00:00+00:00",
    "finished_at": None,
    "problem": None,
    "result": None,
    "chapters": [{"title": "A stranger", "correlation_id": "0199-a", "steps": [STEP, FACT]}],
}
RESULT = {
    "order": {"state": "acknowledged", "erp_number": "SO-2026-0042"},
    "assets": 3,
    "timeline_events": 40,
    "duplicates": 0,
    "latency_ms": {"p50": 12.4, "p99": 80.0, "n": 79},
}


def lookout(answers: dict[str, httpx.Response], *addresses: Address) -> Lookout:
    """Somebody who finds these answers by URL, and nobody listening elsewhere."""

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) not in answers:
            raise httpx.ConnectError("nobody listens")
        return answers[str(request.url)]

    return Lookout(addresses, httpx.MockTransport(answer))


def client_with(run: RunService, story: Path | None = None) -> FlaskClient:
    """A browser at a page whose services are all silent."""
    service = run(SERVICE, demo_file=None if story is None else str(story))
    service.app.extensions[LOOKOUT] = lookout({}, SALES, ERP)
    return service.client


def told(tmp_path: Path, story: Any) -> Path:
    path = tmp_path / "demo.json"
    path.write_text(story if isinstance(story, str) else json.dumps(story))
    return path


def test_what_processes_say_is_what_is_seen() -> None:
    ready = httpx.Response(200, json={"state": "degraded", "failing": ["relay"]})
    seen = lookout(
        {
            "http://sales.test/readyz": httpx.Response(200, json={"status": "ok"}),
            "http://sales-bus.test/readyz": ready,
            "http://sales-bus.test/metrics": httpx.Response(200, text=METRICS),
            "http://erp.test/readyz": httpx.Response(503, json={"status": "no database"}),
        },
        SALES,
        ERP,
    ).look()
    assert seen == (
        Health(
            SALES,
            "ready",
            "degraded",
            ("relay",),
            figures={**FIGURES, "crm_consumer_lag": 7, "crm_inbox_oldest_age_seconds": 2.5},
        ),
        Health(ERP, "unready", "silent"),
    )


@pytest.mark.parametrize(
    ("links", "href"),
    [
        (None, "http://sales.test/docs"),
        ("/api/{service}", "/api/sales/docs"),
        ("https://crm.example/{service}", "https://crm.example/sales/docs"),
    ],
)
def test_links_lead_where_a_browser_finds_the_apis(
    running_service: RunService, links: str | None, href: str
) -> None:
    service = running_service(SERVICE, api_links=links)
    service.app.extensions[LOOKOUT] = lookout({}, SALES)
    page = service.client.get("/").text
    assert re.findall(r'href="([^"]*/docs)"', page) == [href]
    assert ("sales.test" in page) is (links is None)


def test_links_that_name_no_service_are_refused() -> None:
    environment = {
        "CRM_DATABASE_URL": "x",
        "CRM_BUS": "postgres",
        "CRM_BUS_DATABASE_URL": "x",
        "CRM_SECRET": "x" * 16,
    }
    with pytest.raises(SettingsError, match="CRM_API_LINKS"):
        WebSettings.from_env("web", {**environment, "CRM_API_LINKS": "/api/"})


def test_services_are_asked_once_for_many_browsers() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={})

    one = Lookout([SALES], httpx.MockTransport(answer))
    assert one.look() is one.look()
    assert sorted(asked) == [
        "http://sales-bus.test/metrics",
        "http://sales-bus.test/readyz",
        "http://sales.test/readyz",
    ]


@pytest.mark.parametrize(
    ("bus", "verdict"),
    [
        ("ready", {"level": "good", "text": "All 4 processes are ready"}),
        ("degraded", {"level": "fair", "text": "1 process is degraded; work goes on"}),
        ("silent", {"level": "poor", "text": "1 of 4 processes is not ready"}),
    ],
)
def test_the_worst_process_makes_the_verdict(bus: str, verdict: dict[str, str]) -> None:
    page = start_page([Health(SALES, "ready", "ready"), Health(ERP, "ready", bus)], None)
    assert page["verdict"] == verdict


def test_counts_are_summed_over_the_services_that_tell_them() -> None:
    told_by_one = Health(SALES, "ready", "ready", figures=FIGURES)
    assert start_page([told_by_one, Health(ERP, "silent", "silent")], None)["counts"] == {
        "pending": "3",
        "waiting": "4",
        "dead": "1",
    }
    assert start_page([Health(ERP, "silent", "silent")], None)["counts"]["dead"] == "–"


def test_a_fact_reaches_from_its_lane_to_those_of_its_effects() -> None:
    deed, fact = start_page([], STORY)["demo"]["chapters"][0]["steps"]
    assert (deed["x"], deed["from_x"], deed["to_x"], deed["ms"]) == (39, 39, 39, "42 ms")
    assert (fact["x"], fact["from_x"], fact["to_x"], fact["ms"]) == (39, 39, 143, None)
    assert [(effect["title"], effect["ms"], effect["x"]) for effect in fact["effects"]] == [
        ("ERP", "12 ms", 117),
        ("Analytics", "30 ms", 143),
    ]
    assert [deed["after"], fact["after"]] == ["0.00 s", "1.25 s"]


def test_without_a_demo_the_page_tells_how_to_run_one(running_service: RunService, tmp_path: Path) -> None:
    for story in (None, tmp_path / "never.json", told(tmp_path, '{"state": "run')):
        page = client_with(running_service, story).get("/").text
        assert "Nothing has been shown yet." in page
        assert "make demo" in page
        assert 'class="step' not in page


def test_a_running_demo_is_shown_step_by_step(running_service: RunService, tmp_path: Path) -> None:
    client = client_with(running_service, told(tmp_path, STORY))
    page = client.get("/live").text
    assert "Running now" in page
    assert page.count('class="step ') == 2
    assert "order submitted" in page
    assert 'class="figures"' not in page
    told(tmp_path, {**STORY, "state": "done", "result": RESULT})
    page = client.get("/live").text
    assert "SO-2026-0042" in page
    assert "12 ms" in page


def test_a_demo_that_failed_says_why_and_runs_nothing(running_service: RunService, tmp_path: Path) -> None:
    story = {**STORY, "state": "failed", "problem": "<script>alert(1)</script> did not come"}
    page = client_with(running_service, told(tmp_path, story)).get("/").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; did not come" in page
    assert "<script>alert" not in page


def test_every_service_has_links_to_its_reference(running_service: RunService) -> None:
    service = running_service(SERVICE)
    settings = service.runtime.settings
    assert isinstance(settings, WebSettings)
    names = [address.service for address in settings.addresses]
    assert names == ["identity", "sales", "marketing", "support", "fieldservice", "analytics", "erp"]
    service.app.extensions[LOOKOUT] = lookout({}, *settings.addresses)
    page = service.client.get("/").text
    for address in settings.addresses:
        assert f'href="{address.api}/docs"' in page
        assert f'href="{address.api}/openapi.json"' in page
    assert "14 of 14 processes are not ready" in page


def test_the_page_needs_no_token_and_allows_only_its_own_files(running_service: RunService) -> None:
    answer = client_with(running_service).get("/")
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert not re.search(r"\sstyle=|\son[a-z]+=|<script>|<style", answer.text)
    assert set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', answer.text)) == {
        "/assets/base.css",
        "/assets/live.js",
        "/assets/mark.svg",
    }


def test_files_are_served_by_name_only(running_service: RunService) -> None:
    client = client_with(running_service)
    kinds = {"base.css": "text/css", "live.js": "text/javascript", "mark.svg": "image/svg+xml"}
    for name, kind in kinds.items():
        assert client.get(f"/assets/{name}").mimetype == kind
    for name in ("README.md", "..%2fwiring.py", "base.css/x"):
        assert client.get(f"/assets/{name}").status_code == 404


def test_the_stylesheet_stays_small() -> None:
    root = Path(__file__).parents[2]
    assert (root / "services/web/assets/base.css").stat().st_size < 20_000


def test_addresses_come_from_the_environment() -> None:
    given = {
        "CRM_DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
        "CRM_BUS": "kafka",
        "CRM_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "CRM_SECRET": "a secret for tests only",
        "CRM_SALES_URL": "http://sales",
        "CRM_SALES_BUS_URL": "http://sales-bus",
    }
    settings = WebSettings.from_env("web", given)
    assert settings.addresses[1] == Address("sales", "http://sales", "http://sales-bus")
    assert settings.addresses[6] == Address("erp", "http://127.0.0.1:8107", "http://127.0.0.1:8207")
    assert settings.demo_file is None
