"""The web process as it runs: gunicorn, its metrics, and its end."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.problems import free_port
from shared.service import Runtime
from shared.testing.tokens import bearer

PROGRAM = """
import json, sys
from pathlib import Path
from shared.observability.logs import configure_logging
from shared.service import Service
from shared.settings import Settings
from shared.web.server import serve
from tests.shared.web.conftest import make_app

values = json.loads(sys.argv[1])
configure_logging("notes", "web")
serve(Service("notes", create_app=make_app), Settings(**values | {"jwks_file": Path(values["jwks_file"])}))
"""


@pytest.fixture
def process(runtime: Runtime, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    """The running server, its address and that of its metrics."""
    settings = runtime.settings
    values = dataclasses.asdict(settings) | {
        "port": free_port(),
        "health_port": free_port(),
        "jwks_file": str(settings.jwks_file),
    }
    log = (tmp_path / "log").open("wb")
    running = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(values)], stderr=log, env=os.environ | {"PYTHONPATH": "."}
    )
    api, metrics = (f"http://127.0.0.1:{values[name]}" for name in ("port", "health_port"))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{api}/livez")
            break
        except httpx.TransportError:
            assert running.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.1)
    yield running, api, metrics
    running.kill()
    running.wait()
    log.close()


def raw(api: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to bytes that no HTTP client would send."""
    host, _, port = api.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


NOT_HTTP = {
    b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n": 414,
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * 9000 + b"\r\n\r\n": 431,
    b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n": 400,
    b"<script>alert(1)</script>\r\n\r\n": 400,
}


def test_a_process_serves_counts_and_ends_in_order(
    process: tuple[subprocess.Popen[bytes], str, str], tmp_path: Path
) -> None:
    running, api, metrics = process

    assert httpx.get(f"{api}/readyz").json() == {"status": "ok"}
    token = bearer(None, {"note.read": "all"})
    assert httpx.get(f"{api}/v1/notes", headers=token).json() == {"items": [], "next": None}
    twice = [("Authorization", token["Authorization"])] * 2
    assert httpx.get(f"{api}/v1/notes", headers=twice).status_code == 401
    page = httpx.get(f"{metrics}/metrics").text
    assert 'http_route="/v1/notes"' in page
    for request, expected in NOT_HTTP.items():
        status, headers, body = raw(api, request)
        problem = json.loads(body)
        assert (status, headers["Content-Type"]) == (expected, "application/problem+json"), request[:40]
        assert (problem["status"], problem["type"]) == (expected, "/problems/bad-request")
        assert len(problem["trace_id"]) == 32
        assert b"script" not in body
    with httpx.Client(base_url=api) as client:
        assert client.get("/livez").status_code == 200
        running.send_signal(signal.SIGTERM)
        # As long as this client would keep a connection without using it, less a second for a busy machine.
        time.sleep(4)
        last = client.get("/livez")
    assert (last.status_code, last.headers["Connection"]) == (200, "close")
    assert running.wait(timeout=15) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert all(line["service"] == "notes" for line in lines)
