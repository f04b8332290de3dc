"""What watches the suite: every metric, label and page that rules and dashboards name exists; alerts speak in time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.ports import HTTP, ROLES
from deploy.local.problems import free_port
from deploy.local.suite import ROOT
from services.erp.wiring import SERVICE as ERP
from services.sales.wiring import SERVICE as SALES
from shared.contracts.catalog import Catalog
from shared.kernel.cause import Cause, caused_by
from shared.kernel.ids import new_id
from shared.messaging.gauges import GaugeLoop
from shared.messaging.housekeeping import Housekeeper
from shared.messaging.postgres_bus import PostgresBus
from shared.messaging.transport import OutgoingRecord
from shared.observability.metrics import metrics_page
from shared.testing.services import RunningService
from tests.flows.one_process import accept_quote, carrying_facts, sent_quote
from tests.shared.messaging.buses import eventually

FOLDER = ROOT / "deploy" / "observability"
BY_PROMETHEUS = {"job", "instance", "service", "role"}
"""Labels that the scrape adds."""

Known = Mapping[str, set[str]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of rules and dashboards, with where it stands."""
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    for path in sorted((FOLDER / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", target["expr"]


def selectors(expression: str) -> tuple[list[promql.VectorSelector], set[str]]:
    """The metrics that a query reads, and the labels that it groups by."""
    read: list[promql.VectorSelector] = []
    grouped: set[str] = set()

    def visit(node: promql.Expr) -> None:
        match node:
            case promql.VectorSelector():
                read.append(node)
            case promql.AggregateExpr() if node.modifier is not None:
                grouped.update(node.modifier.labels)

    promql.walk(promql.parse(expression.replace("$service", ".*")), visit)
    return read, grouped


def unknown(expression: str, known: Known) -> list[str]:
    """What a query names that no process shows: metrics, labels, types of facts."""
    read, grouped = selectors(expression)
    missing = [selector.name for selector in read if selector.name not in known]
    labels = set(BY_PROMETHEUS).union(*(known.get(selector.name, set()) for selector in read))
    matched = [matcher for selector in read for matcher in selector.matchers.matchers]
    missing += sorted({matcher.name for matcher in matched} - labels) + sorted(grouped - labels)
    types = {entry.type for topic in Catalog.load().topics.values() for entry in topic.types}
    missing += [matcher.value for matcher in matched if matcher.name == "type" and matcher.value not in types]
    return missing


@pytest.fixture
def known(running_service: Callable[..., RunningService], bus_database: str) -> Known:
    """Metrics and their labels on the page of processes to which everything happened that is measured."""
    sales = running_service(SALES, bus_database_url=bus_database, health_port=free_port())
    # Nobody fetches the order, so it waits in both services.
    erp = running_service(ERP, bus_database_url=bus_database, health_port=free_port(), erp_port="pull")
    bus = PostgresBus(bus_database)
    link, document = sent_quote(sales)
    with caused_by(Cause(new_id(), "system:tests", "test")), sales.runtime.unit_of_work() as uow:
        uow.commands.add("mail", "ann", {})
    with ExitStack() as processes:
        for service in (sales, erp):
            processes.enter_context(carrying_facts(service))
        accept_quote(sales, link, document)
        order = eventually(lambda: next(bus.read("crm.sales.order"), None), "the order is on the bus")
        again = OutgoingRecord(order.topic, order.key, order.headers, order.value)
        spoilt = OutgoingRecord(order.topic, order.key, {**order.headers, "ce_id": str(new_id())}, b"{}")
        publisher = bus.publisher()
        assert publisher.publish([again, spoilt]) == [None, None]
        publisher.close()
        eventually(lambda: b"crm_dead_letters_total" in metrics_page(), "the spoilt fact is given up")
        eventually(lambda: b"crm_consumer_lag" in metrics_page(), "the lag is measured")
        # The two share a page here, and what sales tells of its plumbing is to stand on it.
        for service in (erp, sales):
            Housekeeper(service.runtime.database, service.runtime.service.group).step()
            GaugeLoop(service.runtime.database, service.runtime.service.gauges).step()
    shown: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(metrics_page().decode()):
        for sample in family.samples:
            shown.setdefault(sample.name, set()).update(sample.labels)
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            if "record" in rule:
                shown[rule["record"]] = {"service"}
    return shown


def test_every_query_names_metrics_and_labels_that_processes_show(known: Known) -> None:
    wrong = {where: found for where, query in expressions() if (found := unknown(query, known))}
    assert wrong == {}
    assert len(list(expressions())) > 40
    # The check itself can go red: a metric, a label, a grouping, a type that nobody shows.
    assert unknown("max(crm_outbox_pendings)", known) == ["crm_outbox_pendings"]
    assert unknown('crm_inbox_dead{topic="t"}', known) == ["topic"]
    assert unknown("sum by (handler) (crm_outbox_pending)", known) == ["handler"]
    assert unknown('rate(crm_facts_sent_total{type="crm.sales.deal.won.v1"}[5m])', known) == [
        "crm.sales.deal.won.v1"
    ]


def test_every_alert_leads_to_a_page_that_exists_and_has_a_test() -> None:
    rules = [
        rule
        for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert [rule["alert"] for rule in rules if not (ROOT / rule["annotations"]["runbook"]).is_file()] == []
    tested = (FOLDER / "alerts.test.yml").read_text()
    assert [rule["alert"] for rule in rules if f"alertname: {rule['alert']}\n" not in tested] == []


def test_every_process_is_scraped_under_its_service_and_role() -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    (group,) = job["static_configs"]
    assert group["targets"] == [f"{service}-{role}:9000" for service in HTTP for role in ROLES]
    labelled = {
        rule["target_label"]: [re.fullmatch(rule["regex"], target)[1] for target in group["targets"]]
        for rule in job["relabel_configs"]
    }
    assert labelled == {
        "service": [service for service in HTTP for _ in ROLES],
        "role": [role for _ in HTTP for role in ROLES],
    }


def undeclared(collector: Mapping[str, Any]) -> list[str]:
    """What the collector's service names and no section declares, and what is declared for nothing."""
    service = collector["service"]
    used = {
        "extensions": set(service["extensions"]),
        "receivers": set(),
        "processors": set(),
        "exporters": set(),
    }
    for pipeline in service["pipelines"].values():
        for section, names in pipeline.items():
            used[section].update(names)
    return sorted(
        f"{section} {name}" for section, names in used.items() for name in names ^ set(collector[section])
    )


def test_the_collectors_pipelines_are_whole() -> None:
    collector = yaml.safe_load((FOLDER / "otel-collector.yaml").read_text())
    assert set(collector["service"]["pipelines"]) == {"traces", "metrics"}
    assert undeclared(collector) == []
    collector["service"]["pipelines"]["traces"]["exporters"] = ["otlp/elsewhere"]
    assert undeclared(collector) == ["exporters otlp/elsewhere", "exporters otlp/traces"]


def test_dashboards_read_a_source_that_is_provisioned() -> None:
    provisioned = yaml.safe_load(
        (FOLDER / "grafana" / "provisioning" / "datasources" / "datasources.yml").read_text()
    )
    sources = {source["uid"] for source in provisioned["datasources"]}
    boards = [
        json.loads(path.read_text()) for path in sorted((FOLDER / "grafana" / "dashboards").glob("*.json"))
    ]
    assert [board["uid"] for board in boards] == ["crm-business", "crm-flow", "crm-service"]
    for board in boards:
        panels = board["panels"]
        assert {panel["datasource"]["uid"] for panel in panels} <= sources
        assert [panel["title"] for panel in panels if not panel["description"]] == []
        assert len({panel["id"] for panel in panels}) == len(panels)
        spots = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(spots) == len(panels)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Prometheus's own checker; skipped loudly where it is missing, failed where it has to be there."""
    program = shutil.which("promtool")
    if program is None:
        problem = "promtool is not installed (Debian's package `prometheus` has it)."
        if os.environ.get("CI"):
            pytest.fail(problem, pytrace=False)
        pytest.skip(f"ALERT TESTS SKIPPED: {problem}")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_prometheus_takes_the_configuration_and_alerts_speak_when_they_should(tmp_path: Path) -> None:
    checked = promtool("check", "config", FOLDER / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", FOLDER / "alerts.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    rules = (FOLDER / "alerts.yml").read_text()
    for before, after in (
        ("(crm_inbox_dead) > 0", "(crm_inbox_dead) > 2"),
        ("for: 10m", "for: 20m"),
        ('state="in_doubt"', 'state="failed"'),
    ):
        assert before in rules
        (tmp_path / "alerts.yml").write_text(rules.replace(before, after))
        shutil.copy(FOLDER / "alerts.test.yml", tmp_path)
        broken = promtool("test", "rules", tmp_path / "alerts.test.yml")
        assert broken.returncode == 1, after


def test_prometheus_can_read_every_query_of_the_dashboards(tmp_path: Path) -> None:
    def checked(*queries: str) -> int:
        rules = [{"record": f"r:{number}", "expr": query} for number, query in enumerate(queries)]
        path = tmp_path / "queries.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
        return promtool("check", "rules", path).returncode

    assert checked(*(query for _, query in expressions())) == 0
    assert checked("sum by service (up)") == 1
