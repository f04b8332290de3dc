"""The installation on Kubernetes fits together, and each check of it goes red when something is broken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.k8s import alerts, fields, generated, network, rules, topics
from deploy.k8s.check import problems
from deploy.k8s.manifests import BuildFailed, Installation

Break = Callable[[Installation], None]


@pytest.fixture(scope="module")
def production() -> Installation:
    return Installation.build(topics.HERE / "overlays" / "production")


@pytest.fixture(scope="module")
def dev() -> Installation:
    return Installation.build(topics.HERE / "overlays" / "dev")


def said(installation: Installation, rule: rules.Rule, breaks: Break) -> list[str]:
    """What `rule` says of a copy of `installation` that was broken."""
    broken = copy.deepcopy(installation)
    breaks(broken)
    return list(rule(broken))


def find(installation: Installation, kind: str, name: str) -> Any:
    found = installation.find(kind, name)
    assert found is not None, f"there is no {kind} {name}"
    return found


def spec(installation: Installation, kind: str, name: str) -> Any:
    return find(installation, kind, name)["spec"]


def pod(installation: Installation, name: str) -> Any:
    kind = "Job" if name.endswith("-migrate") else "Deployment"
    return spec(installation, kind, name)["template"]["spec"]


def settings_of(installation: Installation, process: str) -> Any:
    name = pod(installation, process)["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    return find(installation, "ConfigMap", name)["data"]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_both_overlays_keep_every_rule(production: Installation, dev: Installation, rule: rules.Rule) -> None:
    assert [*rule(production), *rule(dev)] == []


def test_topics_users_and_alerts_are_what_was_declared() -> None:
    assert list(generated.drift()) == []


def test_a_topic_that_was_changed_by_hand_is_noticed(tmp_path: Path) -> None:
    for path, text in generated.documents(tmp_path).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(generated.drift(tmp_path)) == []
    changed = tmp_path / "overlays" / "production" / "topics.yaml"
    changed.write_text(changed.read_text().replace("partitions: 12", "partitions: 13", 1))
    (tmp_path / "base" / "kafka-users.yaml").unlink()
    silenced = tmp_path / "base" / "alerts.yaml"
    silenced.write_text(silenced.read_text().replace("for: 2m", "for: 2d", 1))
    advice = "has drifted: run `make contracts` and commit"
    assert sorted(generated.drift(tmp_path)) == [
        f"base/alerts.yaml {advice}",
        f"base/kafka-users.yaml {advice}",
        f"overlays/production/topics.yaml {advice}",
    ]


def test_a_cluster_has_the_alerts_that_were_tested(production: Installation, dev: Installation) -> None:
    tested = yaml.safe_load(alerts.RULES.read_text())
    for installation in (production, dev):
        assert spec(installation, "PrometheusRule", "alerts") == tested


@pytest.mark.parametrize(
    ("breaks", "problem"),
    [
        (lambda rule: rule.pop("expr"), "'expr' is a required property"),
        (lambda rule: rule.update(after="2m"), "'after' was unexpected"),
        (lambda rule: rule.update({"for": "2 minutes"}), "'2 minutes' does not match"),
        (lambda rule: rule.update(record="crm:a:b"), "is valid under each of"),
    ],
)
def test_an_alert_that_the_operator_would_refuse_is_found(
    production: Installation, breaks: Callable[[Any], None], problem: str
) -> None:
    wrong = said(
        production, fields.fit, lambda i: breaks(spec(i, "PrometheusRule", "alerts")["groups"][1]["rules"][0])
    )
    assert len(wrong) == 1
    assert wrong[0].startswith("PrometheusRule alerts: spec.groups.1.rules.0")
    assert problem in wrong[0]


def test_an_overlay_that_cannot_be_built_is_named(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [nowhere.yaml]\n")
    with pytest.raises(BuildFailed, match=r"nowhere\.yaml"):
        Installation.build(tmp_path)
    assert any(problem.startswith("production: ") for problem in problems(tmp_path))


def test_both_overlays_differ_where_a_machine_differs_from_a_cluster(
    production: Installation, dev: Installation
) -> None:
    opportunity = "crm.sales.opportunity"
    assert spec(production, "KafkaTopic", opportunity)["partitions"] == 12
    assert spec(dev, "KafkaTopic", opportunity)["partitions"] == 3
    assert spec(production, "Cluster", "sales-database")["instances"] == 3
    assert spec(dev, "Cluster", "sales-database")["instances"] == 1
    assert dev.of("ScheduledBackup", "ObjectStore") == []
    assert settings_of(production, "sales-web")["CRM_PUBLIC_URL"] == "https://crm.example.com"
    assert settings_of(dev, "sales-web")["CRM_ISSUER"] == "https://crm.localhost/api/identity"


def test_services_are_apart_in_the_network(production: Installation) -> None:
    allowed = network.allowed(production)
    assert ("sales-bus", "kafka", 9093) in allowed
    assert ("sales-web", "kafka", 9093) not in allowed
    assert ("sales-web", "support-database", 5432) not in allowed
    assert ("sales-web", "support-web", 8000) not in allowed
    assert not [edge for edge in allowed if edge[0] == "stranger"]


def _forget(resource_kind: str, name: str) -> Break:
    def breaks(installation: Installation) -> None:
        rest = tuple(
            r for r in installation.resources if (r["kind"], r["metadata"]["name"]) != (resource_kind, name)
        )
        object.__setattr__(installation, "resources", rest)

    return breaks


def _alone(kind: str, name: str, breaks: Break) -> Break:
    """Break a resource, and leave nothing else to look at."""

    def left_alone(installation: Installation) -> None:
        breaks(installation)
        object.__setattr__(installation, "resources", (find(installation, kind, name),))

    return left_alone


BREAKS: list[tuple[rules.Rule, Break, str]] = [
    (
        fields.fit,
        _alone("Deployment", "sales-web", lambda i: spec(i, "Deployment", "sales-web").update(replica=3)),
        "Deployment sales-web: spec Additional properties are not allowed ('replica' was unexpected)",
    ),
    (
        fields.fit,
        _alone(
            "ScheduledBackup",
            "sales-database",
            lambda i: spec(i, "ScheduledBackup", "sales-database").update(shedule="0 0 2 * * *"),
        ),
        "ScheduledBackup sales-database: spec. Additional properties are not allowed ('shedule' was unexpected)",
    ),
    (
        fields.fit,
        _alone(
            "KafkaUser",
            "crm-sales",
            lambda i: find(i, "KafkaUser", "crm-sales").update(apiVersion="kafka.strimzi.io/v1beta2"),
        ),
        "KafkaUser crm-sales: nobody knows kafka.strimzi.io/v1beta2 KafkaUser",
    ),
    (rules.every_service_runs, _forget("Deployment", "erp-bus"), "there is no Deployment erp-bus"),
    (
        rules.every_service_runs,
        lambda i: pod(i, "erp-bus")["containers"][0].update(image="crm-suite/sales:0.1.0"),
        "erp-bus runs the image crm-suite/sales:0.1.0",
    ),
    (
        rules.databases_are_backed_up,
        _forget("ScheduledBackup", "erp-database"),
        "nobody backs erp-database up",
    ),
    (
        rules.databases_are_backed_up,
        lambda i: spec(i, "Cluster", "erp-database").update(instances=2),
        "a failover of erp-database may lose what was committed",
    ),
    (
        rules.settings_are_known,
        lambda i: pod(i, "erp-bus")["containers"][0]["env"].append({"name": "CRM_ERP_PROT", "value": "pull"}),
        "erp-bus is told CRM_ERP_PROT, which it does not read",
    ),
    (
        rules.settings_are_enough,
        lambda i: pod(i, "web-bus")["volumes"][1]["projected"]["sources"].pop(4),
        "web-bus has no file kafka_ca.pem",
    ),
    (
        rules.settings_are_enough,
        lambda i: settings_of(i, "web-web").pop("CRM_SECRET_FILE"),
        "Wrong settings for web-web:\n  CRM_SECRET: Missing. (Signs cursors and links)",
    ),
    (
        rules.settings_are_enough,
        lambda i: settings_of(i, "web-web").update(PGSSLMODE="require"),
        "web-web does not verify its database's certificate",
    ),
    (
        rules.settings_are_enough,
        lambda i: settings_of(i, "web-web").update(CRM_ENVIRONMENT="local"),
        "web-web does not know that it is in production",
    ),
    (
        rules.names_lead_somewhere,
        _forget("ExternalSecret", "erp-secrets"),
        "erp-web needs secret of the Secret erp-secrets, which nobody makes",
    ),
    (
        rules.names_lead_somewhere,
        lambda i: spec(i, "ScaledObject", "erp-bus")["scaleTargetRef"].update(name="bus"),
        "ScaledObject erp-bus scales nothing",
    ),
    (
        rules.names_lead_somewhere,
        lambda i: spec(i, "PodDisruptionBudget", "erp-bus")["selector"]["matchLabels"].pop(
            "app.kubernetes.io/name"
        ),
        "PodDisruptionBudget erp-bus is for analytics-bus, erp-bus, fieldservice-bus, identity-bus, marketing-bus,"
        " sales-bus, support-bus, web-bus",
    ),
    (
        rules.names_lead_somewhere,
        lambda i: spec(i, "Ingress", "suite")["rules"][0]["http"]["paths"][0]["backend"]["service"].update(
            name="x"
        ),
        "the path /api/analytics/ leads to x, which does not exist",
    ),
    (
        rules.pods_are_confined,
        lambda i: pod(i, "erp-migrate")["securityContext"].update(runAsUser=0),
        "erp-migrate may run as root",
    ),
    (
        rules.pods_are_confined,
        lambda i: pod(i, "erp-web")["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
        "erp-web: readOnlyRootFilesystem of web is False, not True",
    ),
    (
        rules.pods_are_confined,
        lambda i: pod(i, "erp-web")["initContainers"][0].update(image="crm-suite/erp:latest"),
        "erp-web: the image crm-suite/erp:latest names no version",
    ),
    (
        rules.pods_are_confined,
        lambda i: pod(i, "erp-web")["containers"][0]["resources"]["limits"].pop("memory"),
        "erp-web: web does not say what it needs",
    ),
    (
        rules.pods_are_confined,
        lambda i: find(i, "ServiceAccount", "erp-account").update(automountServiceAccountToken=True),
        "erp-web gets a token for Kubernetes",
    ),
    (
        rules.processes_are_watched,
        lambda i: pod(i, "erp-web")["containers"][0]["readinessProbe"]["httpGet"].update(port="health"),
        "erp-web: the readinessProbe asks /readyz at health",
    ),
    (
        rules.processes_are_watched,
        lambda i: pod(i, "erp-bus")["topologySpreadConstraints"].pop(),
        "erp-bus is not spread over zones and machines",
    ),
    (
        rules.migrations_come_first,
        lambda i: pod(i, "erp-bus").pop("initContainers"),
        "erp-bus does not wait for its database",
    ),
    (
        rules.migrations_come_first,
        lambda i: pod(i, "erp-migrate")["containers"][0].update(image="crm-suite/erp:0.2.0"),
        "erp-bus waits for another version than erp-migrate brings",
    ),
    (
        rules.bus_processes_scale,
        lambda i: spec(i, "ScaledObject", "erp-bus")["triggers"][0]["metadata"].update(
            consumerGroup="crm.sales"
        ),
        "erp-bus scales by the lag of crm.sales",
    ),
    (
        rules.bus_processes_scale,
        lambda i: spec(i, "ScaledObject", "erp-bus").update(maxReplicaCount=13),
        "erp-bus scales beyond the 12 partitions that it can read",
    ),
    (
        rules.edges_are_needed,
        lambda i: spec(i, "NetworkPolicy", "erp-web")["egress"].append({"ports": [{"port": 5432}]}),
        "erp-web may speak to stranger at 5432, and has no reason to",
    ),
    (
        rules.edges_are_needed,
        _forget("NetworkPolicy", "carries-facts"),
        "erp-bus cannot speak to kafka at 9093",
    ),
    (
        rules.edges_are_needed,
        lambda i: spec(i, "Kafka", "crm")["kafka"]["listeners"][0].pop("networkPolicyPeers"),
        "stranger may speak to kafka at 9093, and has no reason to",
    ),
    (
        rules.edges_are_needed,
        lambda i: settings_of(i, "web-web").update(CRM_ERP_URL="http://erp-web:9000"),
        "web-web cannot speak to erp-web at 9000",
    ),
]


@pytest.mark.parametrize(
    ("rule", "breaks", "sentence"), BREAKS, ids=[sentence[:60] for _, _, sentence in BREAKS]
)
def test_a_planted_break_is_found(
    production: Installation, rule: rules.Rule, breaks: Break, sentence: str
) -> None:
    assert sentence in said(production, rule, breaks)


def test_every_rule_has_a_planted_break() -> None:
    assert {rule for rule, _, _ in BREAKS} == {fields.fit, *rules.RULES}
