"""What the containers are given: secrets, certificates, the gateway and the database server of the compose file."""

from __future__ import annotations

import ssl
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy.engine import make_url

from deploy.docker import secrets
from deploy.docker.certificates import Authority, expires_at
from deploy.docker.probe import main as probe
from deploy.docker.secrets import READERS, Vault, hand_out
from deploy.local.postgres import EPHEMERAL, Cluster
from deploy.local.problems import free_port
from deploy.postgres import setup as postgres_setup
from deploy.settings_reference import ROOT, services


@pytest.fixture
def readers(tmp_path: Path) -> Path:
    """Folders as the volumes of a new installation are: empty."""
    for reader in READERS:
        (tmp_path / "readers" / reader).mkdir(parents=True)
    return tmp_path / "readers"


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_every_service_gets_its_own_secrets_and_no_others(tmp_path: Path, readers: Path) -> None:
    vault = Vault(tmp_path / "vault")
    hand_out(vault, readers, "crm.example")
    for service in services():
        own = vault.word(f"signing/{service}")
        others = {vault.word(f"signing/{other}") for other in services() if other != service}
        files = _content(readers / service)
        assert files["secret"] == own.encode()
        assert not others & {content.decode() for content in files.values()}
        assert "sslmode=verify-full" in files["database_url"].decode()
    assert (readers / "sales" / "secret").stat().st_mode & 0o777 == 0o400


def test_a_second_time_changes_nothing(tmp_path: Path, readers: Path) -> None:
    hand_out(Vault(tmp_path / "vault"), readers, "crm.example")
    before = _content(readers)
    hand_out(Vault(tmp_path / "vault"), readers, "crm.example")
    assert _content(readers) == before


def test_a_deleted_secret_is_made_anew_for_all_who_need_it(tmp_path: Path, readers: Path) -> None:
    vault = Vault(tmp_path / "vault")
    hand_out(vault, readers, "crm.example")
    before = _content(readers)
    (tmp_path / "vault" / "kafka" / "sales").unlink()
    hand_out(vault, readers, "crm.example")
    after = _content(readers)
    assert {name for name in before if before[name] != after[name]} == {
        "kafka-setup/passwords/sales",
        "sales/kafka_password",
    }
    assert after["kafka-setup/passwords/sales"] == after["sales/kafka_password"]


def test_certificates_are_renewed_when_they_end_or_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path)
    first = vault.certificate("gateway", ["crm.example"])
    assert vault.certificate("gateway", ["crm.example"]) == first
    renamed = vault.certificate("gateway", ["other.example"])
    assert renamed != first
    monkeypatch.setattr(secrets, "RENEW_DAYS", 500)
    renewed = vault.certificate("gateway", ["other.example"])
    assert renewed != renamed
    assert expires_at(renewed.certificate) >= expires_at(renamed.certificate)


def test_an_operators_own_certificate_stays(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.certificate("gateway", ["crm.example"])
    own = Authority.found("a public authority").issue("gateway", ["somewhere.example"])
    for name, content in (("gateway.key", own.key), ("gateway.pem", own.certificate)):
        (tmp_path / "certificates" / name).unlink()
        (tmp_path / "certificates" / name).write_bytes(content)
    assert vault.certificate("gateway", ["crm.example"]) == own


def test_a_volume_that_is_not_mounted_is_named(
    tmp_path: Path, readers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (readers / "kafka").rmdir()
    assert secrets.main(tmp_path / "vault", readers) == 1
    assert capsys.readouterr().err == f"Nothing is mounted below {readers} for: kafka.\n"
    assert not (tmp_path / "vault").exists()


# --- PostgreSQL, with the configuration of the container


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.found("test")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with the container's configuration, except TLS, which the PostgreSQL of the wheel was built without."""
    home = tmp_path_factory.mktemp("server")
    (home / "pg_hba.conf").write_text(
        (ROOT / "deploy/postgres/pg_hba.conf").read_text().replace("hostssl", "host")
    )
    settings = {
        "include": f"'{ROOT / 'deploy/postgres/postgresql.conf'}'",
        **EPHEMERAL,
        "hba_file": f"'{home / 'pg_hba.conf'}'",
        "ssl": "off",
    }
    cluster = Cluster(home / "postgres", free_port(), log=home / "postgres.log", settings=settings)
    cluster.start()
    yield cluster
    cluster.stop()


def _enter(cluster: Cluster, service: str, database: str, **options: str) -> None:
    name, word = f"crm_{service}", f"a-password-of-{service}"
    psycopg.connect(cluster.url(f"crm_{database}", name, word), connect_timeout=30, **options).close()


def test_a_service_enters_its_own_database_only(server: Cluster, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    for service in ("sales", "support"):
        (passwords / service).write_text(f"a-password-of-{service}\n")
    (tmp_path / "superuser_url").write_text(server.url("postgres"))
    for _ in range(2):
        assert postgres_setup.main(tmp_path) == 0
    _enter(server, "sales", "sales")
    with pytest.raises(psycopg.OperationalError, match='permission denied for database "crm_support"'):
        _enter(server, "sales", "support")
    with pytest.raises(psycopg.OperationalError, match='permission denied for database "postgres"'):
        psycopg.connect(server.url("postgres", "crm_sales", "a-password-of-sales"), connect_timeout=30)


def test_a_client_that_was_given_its_url_speaks_to_no_server_without_tls(
    server: Cluster, tmp_path: Path, readers: Path
) -> None:
    hand_out(Vault(tmp_path / "vault"), readers, "localhost")
    url = make_url((readers / "sales" / "database_url").read_text())
    trust = {**url.query, "sslrootcert": str(readers / "sales" / "ca.pem")}
    here = url.set(host="127.0.0.1", port=server.port, query=trust).render_as_string(hide_password=False)
    with pytest.raises(psycopg.OperationalError, match="server does not support SSL, but SSL was required"):
        psycopg.connect(here, connect_timeout=30)


def test_over_the_network_the_server_takes_tls_only() -> None:
    rules = [line.split() for line in (ROOT / "deploy/postgres/pg_hba.conf").read_text().splitlines()]
    assert [rule for rule in rules if rule and rule[0] != "#"] == [
        ["local", "all", "postgres", "peer"],
        ["hostssl", "all", "all", "all", "scram-sha-256"],
    ]
    settings = (ROOT / "deploy/postgres/postgresql.conf").read_text()
    assert "\nssl = on\n" in settings
    assert "\nssl_min_protocol_version = 'TLSv1.2'\n" in settings


# --- The gateway


class _Echo(BaseHTTPRequestHandler):
    """Tells what arrived."""

    def do_GET(self) -> None:
        body = "\n".join([self.path, *(f"{name}: {value}" for name, value in self.headers.items())]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def _serve(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[httpx.Client, int]]:
    """The gateway before a service that echoes; a client that trusts it, and its plain port."""
    home = tmp_path_factory.mktemp("gateway")
    identity = authority.issue("gateway", ["localhost"])
    (home / "server.pem").write_bytes(identity.certificate)
    (home / "server.key").write_bytes(identity.key)
    echo = _serve(_Echo)
    port, plain = free_port(), free_port()
    environment = {
        "HOME": str(home),
        "CRM_CERTIFICATES": str(home),
        "CRM_GATEWAY_PORT": str(port),
        "CRM_GATEWAY_HTTP_PORT": str(plain),
        "CRM_AUTHORITY": f"localhost:{port}",
        **{f"{service.upper()}_WEB": f"127.0.0.1:{echo.server_port}" for service in services()},
    }
    program = Path(sysconfig.get_path("scripts")) / "caddy"
    command = [program, "run", "--adapter", "caddyfile", "--config", ROOT / "deploy/gateway/Caddyfile"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    trust = ssl.create_default_context(cadata=authority.identity.certificate.decode())
    with httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=30) as client:
        _wait(lambda: client.get("/").status_code == 200)
        yield client, plain
    process.terminate()
    process.wait(30)
    echo.shutdown()
    echo.server_close()


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the gateway does not answer"
        time.sleep(0.05)


def test_the_gateway_finds_services_by_their_prefix(gateway: tuple[httpx.Client, int]) -> None:
    client, _ = gateway
    for service in services():
        if service != "web":
            lines = client.get(f"/api/{service}/v1/things?a=b").text.splitlines()
            assert lines[0] == "/v1/things?a=b"
            assert f"X-Forwarded-Prefix: /api/{service}" in lines
    assert client.get("/anything").text.splitlines()[0] == "/anything"


def test_the_gateway_believes_no_header_about_where_a_request_comes_from(
    gateway: tuple[httpx.Client, int],
) -> None:
    client, _ = gateway
    forged = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Prefix": "/evil",
    }
    for path, prefix in (("/api/sales/v1/x", ["X-Forwarded-Prefix: /api/sales"]), ("/x", [])):
        lines = client.get(path, headers=forged).text.splitlines()
        assert "X-Forwarded-For: 127.0.0.1" in lines
        assert "X-Forwarded-Proto: https" in lines
        assert f"X-Forwarded-Host: {client.base_url.netloc.decode()}" in lines
        assert [line for line in lines if line.startswith("X-Forwarded-Prefix")] == prefix


@pytest.mark.parametrize("path", ["/readyz", "/livez", "/metrics", "/api/sales/readyz", "/api/erp/metrics"])
def test_the_gateway_shows_nobody_what_is_for_operators(path: str, gateway: tuple[httpx.Client, int]) -> None:
    client, _ = gateway
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (404, "")


def test_plain_http_leads_to_https(gateway: tuple[httpx.Client, int]) -> None:
    client, plain = gateway
    answer = httpx.get(f"http://localhost:{plain}/api/sales/v1/x?a=b")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{client.base_url}/api/sales/v1/x?a=b")


def test_the_gateway_refuses_old_tls(gateway: tuple[httpx.Client, int]) -> None:
    client, _ = gateway
    done = subprocess.run(
        [
            "openssl",
            "s_client",
            "-tls1_1",
            "-cipher",
            "DEFAULT@SECLEVEL=0",
            "-connect",
            client.base_url.netloc.decode(),
        ],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "alert protocol version" in done.stderr


# --- The probe


class _Unready(_Echo):
    def do_GET(self) -> None:
        self.send_error(503)


@pytest.mark.parametrize(("role", "variable"), [("web", "CRM_PORT"), ("bus", "CRM_HEALTH_PORT")])
def test_the_probe_asks_the_process_that_runs(
    role: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cmdline").write_bytes(f"python\0/opt/crm/venv/bin/service\0{role}\0".encode())
    for handler, code in ((_Echo, 0), (_Unready, 1)):
        server = _serve(handler)
        monkeypatch.setenv(variable, str(server.server_port))
        assert probe(tmp_path / "cmdline") == code
        server.shutdown()
        server.server_close()
        assert probe(tmp_path / "cmdline") == 1


def test_the_probe_needs_nothing_but_the_standard_library() -> None:
    program = ROOT / "deploy" / "docker" / "probe.py"
    done = subprocess.run(
        [sys.executable, "-ISc", f"exec(open({str(program)!r}).read().split('if __name__')[0])"], check=False
    )
    assert done.returncode == 0
