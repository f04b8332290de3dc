"""What the tests of whole suites do and look for, by the means of the demo."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.local import demo_proof as proof
from deploy.local.demo_flow import Cast, Deal
from deploy.local.demo_story import Chapter, Story
from deploy.local.suite import ROOT, LocalSuite

PATIENCE = 90.0


def run_demo(suite: LocalSuite, output: Path) -> dict[str, Any]:
    """The result of `make demo` against `suite`, as its JSON tells it."""
    command = [sys.executable, "-m", "deploy.local.demo", "--home", str(suite.home), "--json", str(output)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, f"{ended.stderr}\n{ended.stdout[-3000:]}"
    result: dict[str, Any] = json.loads(output.read_text())
    return result


def assert_as_promised(result: dict[str, Any], suite: LocalSuite) -> None:
    """The demo's JSON holds what was promised, and the start page's file the same."""
    latency, correlation_id = result["latency_ms"], result["correlation_id"]
    number = result["order"]["erp_number"]
    assert result == {
        "correlation_id": correlation_id,
        "order": {"state": "acknowledged", "erp_number": number},
        "contract": {"state": "active"},
        "assets": 3,
        "work_order": {"state": "completed"},
        "timeline_events": 40,
        "rejected": {"order": "rejected", "contract": "cancelled", "work_order": "cancelled"},
        "duplicates": 0,
        "latency_ms": latency,
    }
    assert number.startswith("SO-")
    assert set(latency) == {"p50", "p99", "n"}
    assert 0 < latency["p50"] <= latency["p99"]
    assert latency["n"] > 60
    story = json.loads(suite.demo_file.read_text())
    assert (story["state"], story["problem"], story["result"]) == ("done", None, result)
    assert [len(chapter["steps"]) > 20 for chapter in story["chapters"]] == [True, True, True]


def chapter_of(suite: LocalSuite, folder: Path) -> Chapter:
    """Where the steps of a flow are noted; nothing is printed."""
    return Story(folder / "story.json", suite.bus, Console(quiet=True)).chapter("a test")


def wait_for_end(cast: Cast, chapter: Chapter, deal: Deal, billing: str, contract: str) -> None:
    """Return when the deal's order and its contract have come to their end."""
    order = f"/v1/orders/{deal.order_id}"
    chapter.until(
        "The end of the order",
        lambda: cast.admin.get("sales", order),
        lambda found: (
            (found["state"] == "rejected") if contract == "cancelled" else found["billing"] == billing
        ),
        seconds=PATIENCE,
    )
    chapter.until(
        "The end of the contract",
        lambda: cast.admin.get("support", "/v1/contracts", order_id=deal.order_id)["items"],
        lambda items: [item["state"] for item in items] == [contract],
        seconds=PATIENCE,
    )
    wanted = proof.PAID if contract == "active" else proof.REFUSED
    chapter.until(
        "What the order leaves behind",
        lambda: proof.count(cast.admin, deal),
        lambda counted: all(counted[name] >= number for name, number in wanted.items()),
        seconds=PATIENCE,
    )
    chapter.tell_facts(everything=True)


def assert_paid_once(cast: Cast, chapter: Chapter, deal: Deal) -> None:
    """The order comes to be paid, and every effect of it is there exactly once."""
    wait_for_end(cast, chapter, deal, "paid", "active")
    assert proof.count(cast.admin, deal) == proof.PAID
    assert chapter.chain is not None
    assert chapter.chain.archived_twice() == 0
    assert chapter.chain.troubles() == []
