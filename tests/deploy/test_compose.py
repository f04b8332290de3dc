"""The checks of docker-compose.yml find what is planted, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deploy.docker import check
from deploy.docker.compose import Compose
from deploy.docker.compose_rules import RULES
from deploy.settings_reference import ROOT

PARTS = (
    "docker-compose.yml",
    "pyproject.toml",
    "deploy/docker",
    "deploy/gateway",
    "deploy/kafka",
    "deploy/postgres",
)

# What is replaced, by what, and the one sentence that says so.
PLANTED = {
    "a setting with a typing mistake": (
        '      CRM_PROXIES: "1"\n      CRM_SALES_URL',
        '      CRM_PROXYS: "1"\n      CRM_SALES_URL',
        "web-web is told CRM_PROXYS, which it does not read",
    ),
    "a service without a bus process": (
        "  sales-bus:\n",
        "  sells-bus:\n",
        "sales-bus is missing",
    ),
    "an image of another service": (
        "args: {SERVICE: sales}",
        "args: {SERVICE: erp}",
        "sales-migrate does not build the image of sales",
    ),
    "an image from a registry that does not have it": (
        "x-bus: &bus\n  <<: [*server, *env-file]\n  pull_policy: never\n",
        "x-bus: &bus\n  <<: [*server, *env-file]\n",
        "sales-bus looks for its image in a registry",
    ),
    "a secret that nobody makes": (
        "CRM_SECRET_FILE: /run/crm/secret",
        "CRM_SECRET_FILE: /run/crm/secrets",
        "CRM_SECRET: CRM_SECRET_FILE cannot be read",
    ),
    "a login of another service": (
        "CRM_KAFKA_USERNAME: crm-erp",
        "CRM_KAFKA_USERNAME: crm-sales",
        "erp-migrate does not log in to Kafka as crm-erp",
    ),
    "a variable that nobody explains": (
        "${CRM_HTTP_PORT:-8080}",
        "${CRM_PLAIN_PORT:-8080}",
        "asks for CRM_PLAIN_PORT, which .env.example does not explain",
    ),
    "another default than documented": (
        "${CRM_MAIL_PORT:-8025}",
        "${CRM_MAIL_PORT:-1025}",
        "takes '1025' for CRM_MAIL_PORT, documented is '8025'",
    ),
    "an address that does not exist": (
        "CRM_ERP_URL: http://erp-web:8000",
        "CRM_ERP_URL: http://erp:8000",
        "web-web speaks to erp, which does not exist",
    ),
    "a port at which nobody listens": (
        "CRM_ERP_BUS_URL: http://erp-bus:9000",
        "CRM_ERP_BUS_URL: http://erp-bus:8000",
        "web-web speaks to port 8000 of erp-bus, which listens on [9000]",
    ),
    "a network that two do not share": (
        "networks: [public, edge]",
        "networks: [public, mail]",
        "gateway speaks to web-web, and shares no network with it",
    ),
    "a health check that nobody makes": (
        "    healthcheck: {test: [CMD, pg_isready",
        "    labels: {test: [CMD, pg_isready",
        "postgres-setup waits for the health of postgres, which nobody checks",
    ),
    "a job that is waited for until it is well": (
        "sales-migrate: {condition: service_completed_successfully}",
        "sales-migrate: {condition: service_healthy}",
        "sales-web waits for sales-migrate until service_healthy",
    ),
    "a volume that is not declared": (
        "  kafka: {}\n",
        "",
        "the volume kafka is not both declared and used",
    ),
    "secrets of another container": (
        "gateway-secrets:/run/crm:ro",
        "postgres-secrets:/run/crm:ro",
        "postgres-secrets is mounted by gateway",
    ),
    "the vault in a service": (
        "      - grafana:/var/lib/grafana\n",
        "      - grafana:/var/lib/grafana\n      - vault:/vault\n",
        "vault is mounted by grafana",
    ),
    "a file that is not there": (
        "./deploy/kafka/log4j2.yaml:",
        "./deploy/kafka/log4j.yaml:",
        "kafka mounts ./deploy/kafka/log4j.yaml, which does not exist",
    ),
    "a container that may write everywhere": (
        "  read_only: true\n",
        "  read_only: false\n",
        "sales-web: read_only is False, not True",
    ),
    "root": ('user: "999:999"', 'user: "0:0"', "postgres runs as root"),
    "an image without a version": (
        "image: apache/kafka:4.3.0",
        "image: apache/kafka:latest",
        "kafka: the image apache/kafka:latest names no version",
    ),
    "a port for everybody": (
        '"127.0.0.1:${CRM_GRAFANA_PORT:-3000}:3000"',
        '"${CRM_GRAFANA_PORT:-3000}:3000"',
        "grafana opens ${CRM_GRAFANA_PORT:-3000}:3000 to everybody",
    ),
    "a way out of the database's network": (
        "  data: {internal: true}",
        "  data: {}",
        "the network data leads out",
    ),
}


def _broken(root: Path, scratch: Path) -> list[str]:
    return [sentence for rule in RULES for sentence in rule(Compose.read(root, scratch))]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the checks read."""
    root = tmp_path / "tree"
    for part in (*PARTS, "deploy/observability"):
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, root / part)
    return root


def test_everything_fits_together() -> None:
    assert list(check.problems()) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_break_is_found(name: str, tree: Path, scratch: Path) -> None:
    before, after, sentence = PLANTED[name]
    file = tree / "docker-compose.yml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    assert sentence in "\n".join(_broken(tree, scratch))


def test_an_upstream_of_the_gateway_has_to_exist(tree: Path, scratch: Path) -> None:
    file = tree / "deploy/gateway/Caddyfile"
    file.write_text(file.read_text().replace("sales-web:8000", "sells-web:8000"))
    assert "gateway speaks to sells-web, which does not exist" in _broken(tree, scratch)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (
            "      exporters: [prometheus]",
            "      exporters: [prometheos]",
            "uses exporters prometheos, which is not configured",
        ),
        ("      exporters: [prometheus]", "      exporters: []", "pipeline metrics has no exporters"),
        (
            "      exporters: [prometheus]",
            "      exporters: [otlp/traces]",
            "exporters prometheus is not used",
        ),
        (
            "      exporters: [otlp/traces]",
            "      exporters: [prometheus]",
            "pipeline traces gives prometheus what it does",
        ),
        (
            "[memory_limiter, batch]",
            "[batch, memory_limiter]",
            "does not refuse first what memory has no room for",
        ),
        ("    traces:\n", "    trails:\n", "pipeline trails carries no signal"),
        ("processors:\n  memory", "processor:\n  memory", "the collector does not know processor"),
        ("  batch:\n", "  batches:\n", "processors batches is of a kind that was never tried"),
        ("0.0.0.0:4318", "0.0.0.0:4317", "listens at 0.0.0.0:4317, processes push to port 4318"),
        ("traces:4317", "tempo:4317", "pushes to tempo, which does not exist"),
        ("traces:4317", "kafka:4317", "pushes to kafka, and shares no network with it"),
    ],
)
def test_a_break_in_the_collectors_configuration_is_found(
    before: str, after: str, sentence: str, tree: Path, scratch: Path
) -> None:
    file = tree / "deploy/observability/otel-collector.yaml"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))
    assert sentence in "\n".join(_broken(tree, scratch))


@pytest.mark.parametrize(
    ("file", "before", "after", "sentence"),
    [
        ("deploy/docker/Dockerfile", "FROM python:3.11.14-slim-trixie", "FROM python:latest", "DL3007"),
        ("docker-compose.yml", "restart: unless-stopped", "restarts: unless-stopped", "restarts"),
        (
            "deploy/gateway/Caddyfile",
            "reverse_proxy {args[1]}",
            "reverse_proxies {args[1]}",
            "reverse_proxies",
        ),
    ],
)
def test_the_tools_read_the_files(file: str, before: str, after: str, sentence: str, tree: Path) -> None:
    text = (tree / file).read_text()
    assert before in text
    (tree / file).write_text(text.replace(before, after, 1))
    assert sentence in "\n".join(check.problems(tree))
