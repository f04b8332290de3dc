"""Health and metrics of a bus process over HTTP, on a port of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from shared.observability.metrics import CONTENT_TYPE, metrics_page
from shared.settings import Settings

__all__ = ["HealthServer"]


class HealthServer:
    """Answers /livez, /readyz, /startupz and /metrics."""

    def __init__(
        self,
        settings: Settings,
        is_alive: Callable[[], bool],
        is_ready: Callable[[], tuple[bool, dict[str, Any]]],
    ) -> None:
        def answer(path: str) -> tuple[int, str, bytes]:
            match path:
                case "/metrics":
                    return 200, CONTENT_TYPE, metrics_page()
                case "/livez" | "/startupz":
                    alive = is_alive()
                    return (200 if alive else 503), "application/json", orjson.dumps({"alive": alive})
                case "/readyz":
                    ready, details = is_ready()
                    return (200 if ready else 503), "application/json", orjson.dumps(details)
                case _:
                    return 404, "application/json", b"{}"

        class _Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = answer(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Probes come every few seconds; they are not worth a line."""

        self._address = (settings.host, settings.health_port)
        self._handler = _Answers
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = ThreadingHTTPServer(self._address, self._handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
