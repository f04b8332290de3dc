"""The web process as it runs: gunicorn, its metrics, and its end."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
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
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=15) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert all(line["service"] == "notes" for line in lines)
