"""The web process: gunicorn with threaded workers, each of which makes its own application after the fork."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers import gthread

from shared.messaging.health import HealthServer
from shared.observability.process import start_telemetry, stop_telemetry
from shared.service import Runtime, Service
from shared.settings import Settings
from shared.web.worker import Worker

__all__ = ["serve"]

_GRACE_SECONDS = 10
_REQUEST_SECONDS = 30
_KEEP_ALIVE_SECONDS = 65


class _Logs(Logger):  # type: ignore[misc]
    """Lets the process's own structured log write gunicorn's messages."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True
        self.access_log.disabled = True


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, options: dict[str, Any], load: Callable[[], flask.Flask]) -> None:
        self._options = options
        self._load = load
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> flask.Flask:
        return self._load()


def serve(service: Service, settings: Settings) -> None:
    """Answer HTTP on `settings.host` and `settings.port` until SIGTERM, then finish what is at work.

    Each worker shows its metrics on the first free port from `settings.health_port` on.
    """

    def load() -> flask.Flask:
        start_telemetry(settings, "web")
        _show_metrics(settings)
        return service.create_app(Runtime.start(service, settings, role="web"))

    options = {
        "bind": f"{settings.host}:{settings.port}",
        "workers": settings.web_workers,
        "worker_class": Worker,
        "threads": settings.web_threads,
        "timeout": _REQUEST_SECONDS,
        "graceful_timeout": _GRACE_SECONDS,
        "keepalive": _KEEP_ALIVE_SECONDS,
        "logger_class": _Logs,
        "proc_name": f"crm-{service.name}-web",
        "control_socket_disable": True,
        "worker_exit": lambda _arbiter, _worker: stop_telemetry(),
    }
    # A worker that stops closes connections that nobody uses. A caller who sends at that moment would get no answer, so
    # it waits until they have given them up by themselves: Python's clients after five seconds, the gateway sooner.
    gthread.STOP_KEEPALIVE_LINGER = settings.web_linger_seconds
    _Server(options, load).run()


def _show_metrics(settings: Settings) -> None:
    for number in range(settings.web_workers):
        server = HealthServer(
            replace(settings, health_port=settings.health_port + number), lambda: True, lambda: (True, {})
        )
        try:
            server.start()
        except OSError:
            # Another worker shows its own there.
            continue
        return
