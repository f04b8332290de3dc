"""``python -m deploy.local.demo``: the main flow through a running suite, told as it happens, and proved.

A stranger becomes a paid order; an order that the ERP refuses is taken back everywhere; processes are killed in the
middle of a third one, and nothing happens twice. Only the HTTP APIs are used, except to kill.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from deploy.local import demo_proof as proof
from deploy.local.demo_chain import Fact, latencies, percentile
from deploy.local.demo_flow import (
    Cast,
    Deal,
    accept_lead,
    accept_offer,
    ask_for_demonstration,
    find_order,
    install,
    known_deal,
    sell,
    send_offer,
)
from deploy.local.demo_story import Chapter, Story
from deploy.local.problems import LocalProblem
from deploy.local.suite import ROOT, LocalSuite

__all__ = ["main", "run_demo"]

_NEEDED = ("identity", "sales", "marketing", "support", "fieldservice", "analytics", "erp")
_REFUSED_CUSTOMER = "Wackermann Anlagenbau GmbH"
_CRASHED_CUSTOMER = "Donnerberg Logistik AG"
_AFTER_A_CRASH = 60.0


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="CRM_HOME",
    default=ROOT / ".crm",
    help="Folder of the running suite.",
)
@click.option(
    "--json", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write the result here."
)
def main(home: Path, output: Path | None) -> None:
    """Drive the main flow through the running suite."""
    console = Console(highlight=False, soft_wrap=True)
    if output is not None:
        # What is found there afterwards is of this run, or there is nothing.
        output.unlink(missing_ok=True)
    try:
        result = run_demo(LocalSuite.running(home.absolute()), console)
    except LocalProblem as problem:
        click.echo(str(problem), err=True)
        raise SystemExit(1) from None
    if output is not None:
        output.write_text(json.dumps(result, indent=2) + "\n")


def run_demo(suite: LocalSuite, console: Console) -> dict[str, Any]:
    """Run all of it and return what the services say afterwards.

    Raises LocalProblem, in one sentence, as soon as something is not as promised.
    """
    if missing := [name for name in _NEEDED if name not in suite.services]:
        raise LocalProblem(f"The demo needs every service, but {missing[0]} does not run: use `make run`.")
    record = suite.record()
    if record is None or record.state != "ready":
        raise LocalProblem("The suite is still starting: run the demo when it says that it is ready.")
    suite.wait_ready()
    story = Story(suite.demo_file, suite.bus, console)
    try:
        result = _tell(Cast(suite), story)
    except LocalProblem as problem:
        story.end(None, str(problem))
        raise
    except BaseException:
        story.end(None, "The demo was stopped.")
        raise
    story.end(result)
    _show(console, result)
    return result


def _tell(cast: Cast, story: Story) -> dict[str, Any]:
    sold, deal, facts = _from_stranger_to_paid(cast, story.chapter("A stranger becomes a paid order"))
    chapter = story.chapter("The ERP refuses, and everything is taken back")
    rejected, refused, more_facts = _refused(cast, chapter)
    crashed = _crashed(cast, story.chapter("Processes are killed, and nothing happens twice"))
    deals = ((deal, proof.PAID), (refused, proof.REFUSED), (crashed, proof.PAID))
    duplicates = 0
    for each, expected in deals:
        order = cast.admin.get("sales", f"/v1/orders/{each.order_id}")
        duplicates += proof.surplus(cast.admin, each, cast.chain(order["root_correlation_id"]), expected)
    if duplicates:
        raise LocalProblem(f"{duplicates} records are there that should not be.")
    delays = latencies([*facts, *more_facts])
    figures = {"p50": percentile(delays, 0.5), "p99": percentile(delays, 0.99), "n": len(delays)}
    return {**sold, "rejected": rejected, "duplicates": duplicates, "latency_ms": figures}


def _from_stranger_to_paid(cast: Cast, chapter: Chapter) -> tuple[dict[str, Any], Deal, list[Fact]]:
    deal = accept_lead(cast, chapter, ask_for_demonstration(cast, chapter))
    sell(cast, chapter, deal)
    _wait_for_order(cast, chapter, deal, "acknowledged")
    _wait_for_state(cast, chapter, deal, "support", "/v1/contracts", "active")
    work_order = install(cast, chapter, deal)
    order = _wait_for_payment(cast, chapter, deal)
    facts = chapter.tell_facts(everything=True)
    assert chapter.chain is not None
    entries = proof.timeline(cast.admin, deal, chapter.chain)
    counted = proof.count(cast.admin, deal)
    chapter.note("analytics", f"The customer's timeline tells it in {len(entries)} entries", kind="proof")
    sold = {
        "correlation_id": chapter.chain.correlation_id,
        "order": {"state": order["state"], "erp_number": order["erp_number"]},
        "contract": {"state": proof.state_of(cast.admin, "support", "/v1/contracts", deal)},
        "assets": counted["assets"],
        "work_order": {"state": work_order},
        "timeline_events": len(entries),
    }
    return sold, deal, facts


def _refused(cast: Cast, chapter: Chapter) -> tuple[dict[str, str], Deal, list[Fact]]:
    deal = known_deal(cast, chapter, _REFUSED_CUSTOMER, "An arm on credit")
    when = {"field": "customer", "value": _REFUSED_CUSTOMER}
    cast.admin.post("erp", "/v1/demo-erp/scripts", {"when": when, "action": "reject", "times": 1})
    chapter.note("erp", "The ERP is told to refuse the next order of this customer: no credit", kind="fault")
    sell(cast, chapter, deal)
    order = _wait_for_order(cast, chapter, deal, "rejected")
    places = {"contract": ("support", "/v1/contracts"), "work_order": ("fieldservice", "/v1/work-orders")}
    states = {
        name: _wait_for_state(cast, chapter, deal, *place, "cancelled") for name, place in places.items()
    }
    path = f"/v1/opportunities/{deal.opportunity_id}"
    flagged = chapter.until(
        "The flag on the deal",
        lambda: cast.admin.get("sales", path),
        lambda opportunity: any(flag["code"] == "order_rejected" for flag in opportunity["attention"]),
    )
    reason = next(flag["detail"] for flag in flagged["attention"] if flag["code"] == "order_rejected")
    facts = chapter.tell_facts(everything=True)
    chapter.note("sales", f"The deal asks for attention: {reason}", kind="proof")
    return {"order": order["state"], **states}, deal, facts


def _crashed(cast: Cast, chapter: Chapter) -> Deal:
    """One order through three crashes: the bus process of sales right after the win, that of support while it drafts
    the contract, that of the connector while the ERP ships."""
    deal = known_deal(cast, chapter, _CRASHED_CUSTOMER, "An arm in a thunderstorm")
    accept_offer(cast, chapter, deal, send_offer(cast, chapter, deal))
    killed = [_kill(cast, chapter, "sales")]
    find_order(cast, chapter, deal)
    chapter.until(
        "The draft of the contract",
        lambda: cast.admin.get("support", "/v1/contracts", order_id=deal.order_id)["items"],
        bool,
        seconds=_AFTER_A_CRASH,
    )
    killed.append(_kill(cast, chapter, "support"))
    _wait_for_order(cast, chapter, deal, "acknowledged")
    killed.append(_kill(cast, chapter, "erp"))
    for service, pid, since in killed:
        _tell_return(cast, chapter, service, pid, since)
    _wait_for_payment(cast, chapter, deal)
    chapter.until(
        "The assets of the order",
        lambda: proof.count(cast.admin, deal),
        lambda counted: counted["assets"] >= proof.PAID["assets"],
    )
    _wait_for_state(cast, chapter, deal, "support", "/v1/contracts", "active")
    chapter.tell_facts(everything=True)
    counted = ", ".join(f"{name} {number}" for name, number in proof.count(cast.admin, deal).items())
    chapter.note("sales", f"After three crashes there are: {counted}", kind="proof")
    return deal


def _kill(cast: Cast, chapter: Chapter, service: str) -> tuple[str, int, float]:
    pid = cast.suite.process(service, "bus").pid
    cast.suite.kill(service, "bus")
    chapter.note(service, f"kill -9 {pid}: the bus process of {service} is dead", kind="fault")
    return service, pid, time.monotonic()


def _tell_return(cast: Cast, chapter: Chapter, service: str, pid: int, since: float) -> None:
    process = chapter.until(
        f"The bus process of {service}",
        lambda: cast.suite.process(service, "bus"),
        lambda record: record.pid != pid and cast.suite.is_ready(service, "bus"),
        seconds=_AFTER_A_CRASH,
    )
    seconds = time.monotonic() - since
    chapter.note(service, f"It runs again as {process.pid}, seen {seconds:.1f} s later", kind="state")


def _wait_for_order(cast: Cast, chapter: Chapter, deal: Deal, state: str) -> dict[str, Any]:
    order = chapter.until(
        f"The {state} order",
        lambda: cast.admin.get("sales", f"/v1/orders/{deal.order_id}"),
        lambda found: found["state"] == state,
        seconds=_AFTER_A_CRASH,
    )
    number = f" as {order['erp_number']}" if order["erp_number"] else ""
    chapter.note("sales", f"Order {order['number']} is {state}{number}", kind="state")
    return order


def _wait_for_payment(cast: Cast, chapter: Chapter, deal: Deal) -> dict[str, Any]:
    order = chapter.until(
        "The payment",
        lambda: cast.admin.get("sales", f"/v1/orders/{deal.order_id}"),
        lambda found: found["billing"] == "paid",
        seconds=_AFTER_A_CRASH,
    )
    words = f"Order {order['number']} is {order['billing']}, its fulfilment is {order['fulfilment']}"
    chapter.note("sales", words, kind="state")
    return order


def _wait_for_state(cast: Cast, chapter: Chapter, deal: Deal, service: str, path: str, state: str) -> str:
    chapter.until(
        f"The {state} record of {path}",
        lambda: cast.admin.get(service, path, order_id=deal.order_id)["items"],
        lambda items: [item["state"] for item in items] == [state],
        seconds=_AFTER_A_CRASH,
    )
    chapter.note(
        service, f"Its {path.rsplit('/', 1)[1].rstrip('s').replace('-', ' ')} is {state}", kind="state"
    )
    return state


def _show(console: Console, result: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    order, delays = result["order"], result["latency_ms"]
    rows = {
        "order": f"{order['state']}, {order['erp_number']} in the ERP",
        "contract": result["contract"]["state"],
        "assets": str(result["assets"]),
        "work order": result["work_order"]["state"],
        "timeline": f"{result['timeline_events']} entries",
        "refused": ", ".join(
            f"{name.replace('_', ' ')} {state}" for name, state in result["rejected"].items()
        ),
        "duplicates": str(result["duplicates"]),
        "commit to effect": f"p50 {delays['p50']:.0f} ms, p99 {delays['p99']:.0f} ms of {delays['n']}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print()
    console.print(table)


if __name__ == "__main__":
    main()
