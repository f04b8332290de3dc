"""The whole compose file, where a container engine answers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest
from docker.errors import DockerException
from testcontainers.compose import DockerCompose

from deploy.local.problems import free_port
from deploy.settings_reference import ROOT, services


def _engine_answers() -> bool:
    try:
        return bool(docker.from_env(timeout=3).ping())
    except DockerException:
        return False


def _compose_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(
    not (_engine_answers() and _compose_answers()), reason="needs a Docker engine with Compose"
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DockerCompose, int]]:
    """The suite, built and started under a name and ports of its own."""
    ports = {name: free_port() for name in ("CRM_HTTPS_PORT", "CRM_HTTP_PORT", "CRM_MAIL_PORT")}
    variables = tmp_path_factory.mktemp("compose") / "env"
    lines = [f"{name}={port}" for name, port in ports.items()]
    variables.write_text("\n".join([*lines, f"COMPOSE_PROJECT_NAME=crm-test-{uuid.uuid4().hex[:8]}"]))
    compose = DockerCompose(str(ROOT), build=True, wait=False, env_file=str(variables))
    with compose:
        yield compose, ports["CRM_HTTPS_PORT"]


def test_the_suite_comes_up_and_gives_a_token(
    installation: tuple[DockerCompose, int], tmp_path: Path
) -> None:
    compose, port = installation

    def docker_compose(*arguments: str) -> str:
        command = [*compose.compose_command_property, *arguments]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    docker_compose("cp", "secrets:/readers/operator/ca.pem", str(tmp_path))
    appoint = ("first-administrator", "--email", "ada@company.example")
    shown = docker_compose("exec", "-T", "identity-bus", "service", *appoint)
    known = dict(line.split("=", 1) for line in shown.splitlines())
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=30) as client:
        login = (known["CRM_CLIENT_ID"], known["CRM_CLIENT_SECRET"])
        answer = client.post(
            "/api/identity/oauth/token", data={"grant_type": "client_credentials"}, auth=login
        )
        assert answer.status_code == 200
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert client.get("/api/sales/v1/opportunities", headers=bearer).status_code == 200
        for service in services():
            if service != "web":
                assert client.get(f"/api/{service}/openapi.json").status_code == 200
