"""Kafka in a container. Imported only when a broker is asked for: the client takes half a second to load."""

from __future__ import annotations

import docker
from docker.errors import DockerException
from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.config import testcontainers_config

__all__ = ["ContainerBroker", "engine_answers", "remove_containers"]

_IMAGE = "confluentinc/cp-kafka:8.1.0"  # Apache Kafka 4.1
_CONTAINER_PORT = 9093


def engine_answers() -> bool:
    """True where a Docker engine can be used."""
    try:
        return bool(docker.from_env(timeout=3).ping())
    except DockerException:
        return False


def remove_containers(prefix: str) -> None:
    """Remove every container whose name starts with `prefix`, running or not."""
    for container in docker.from_env().containers.list(all=True, filters={"name": f"^/{prefix}"}):
        container.remove(force=True, v=True)


class ContainerBroker:
    """A broker in a container of the given name, reached at a fixed loopback port."""

    def __init__(self, name: str, port: int) -> None:
        self.bootstrap = f"127.0.0.1:{port}"
        self._name = name
        self._port = port
        self._made = False

    def start(self) -> None:
        """Start it, for the first time or again."""
        if self._made:
            self._container().start()
            return
        # The library's own reaper ends a container with the process that started it. A run is longer than one
        # of its pytest workers, so the end of the run removes the container instead.
        testcontainers_config.ryuk_disabled = True
        container = KafkaContainer(_IMAGE, port=_CONTAINER_PORT).with_kraft().with_name(self._name)
        container.with_bind_ports(_CONTAINER_PORT, self._port).start(timeout=90)
        self._made = True

    def stop(self) -> None:
        """Stop it cleanly."""
        self._container().stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._container().kill()

    def freeze(self) -> None:
        """Let it hang with its connections open."""
        self._container().pause()

    def thaw(self) -> None:
        """Let it go on."""
        self._container().unpause()

    def _container(self) -> docker.models.containers.Container:
        return docker.from_env().containers.get(self._name)
