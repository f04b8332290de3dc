"""Creates the declared topics on a Kafka cluster: `python -m shared.messaging.topics`.

The cluster is `CRM_KAFKA_BOOTSTRAP`, spoken to as the other `CRM_KAFKA_` settings say; `CRM_ENVIRONMENT=production`
asks for three replicas and production's partition counts. Topics that exist are left alone: running it again changes
nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.catalog import Catalog
from shared.messaging.kafka_login import NO_LOGIN, KafkaLogin, connect
from shared.messaging.retry import relay_delay
from shared.messaging.transport import BusUnavailable
from shared.settings import KafkaSettings, SettingsError

__all__ = ["Declared", "TopicMismatch", "TopicRefused", "as_created", "connect_patiently", "create_topics"]

_DAY_MS = 86_400_000
_LARGEST_BATCH = 1_048_588  # Kafka's default, pinned: a value of 900 kB with its headers always fits


class TopicMismatch(Exception):
    """A topic exists with another number of partitions than declared."""


class TopicRefused(Exception):
    """The cluster will not create a topic."""


class Declared(Protocol):
    """What is read of a topic's declaration."""

    @property
    def name(self) -> str: ...
    @property
    def partitions(self) -> Mapping[str, int]: ...
    @property
    def retention_days(self) -> int: ...


def create_topics(
    bootstrap: str,
    topics: Iterable[Declared],
    environment: str,
    *,
    login: KafkaLogin = NO_LOGIN,
    stop: threading.Event | None = None,
    patience: float = 60.0,
) -> list[str]:
    """Create those of `topics` that are missing; their names, once each partition has a leader.

    Waits up to `patience` seconds, or until `stop` is set, for the cluster to come up. Raises BusUnavailable
    when it does not, TopicRefused when it will not have a topic, and TopicMismatch, before anything is
    created, when one exists with another number of partitions: more partitions would send keys elsewhere and
    break their order, so none are ever added.
    """
    admin = connect_patiently(bootstrap, login, stop or threading.Event(), patience)
    declared = {topic.name: topic for topic in topics}
    try:
        existing = _existing(admin, declared)
        _require_declared_partitions(existing, declared, environment)
        missing = sorted(declared.keys() - existing.keys())
        _create(admin, {name: as_created(declared[name], environment) for name in missing})
    except KafkaError as error:
        raise BusUnavailable(f"Kafka did not create the topics: {error}") from error
    finally:
        admin.close()
    return missing


def connect_patiently(bootstrap: str, login: KafkaLogin, stop: threading.Event, patience: float) -> Any:
    """An admin client, once the cluster is up. Raises BusUnavailable after `patience` seconds or when stopped."""
    deadline = time.monotonic() + patience
    attempts = 0
    while True:
        try:
            return connect(KafkaAdminClient, bootstrap, login, client_id="crm-topics")
        except BusUnavailable:
            attempts += 1
            if stop.wait(relay_delay(attempts)) or time.monotonic() >= deadline:
                raise


def _existing(admin: Any, declared: Mapping[str, Declared]) -> dict[str, int]:
    """Partition counts of the topics that are there."""
    described = admin.describe_topics(list(declared)) if declared else []
    return {topic["name"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}


def _partitions(topic: Declared, environment: str) -> int:
    return topic.partitions["production" if environment == "production" else "development"]


def as_created(topic: Declared, environment: str) -> dict[str, Any]:
    """How `topic` is made in `environment`: num_partitions, replication_factor, and configs by Kafka's names."""
    replicas, in_sync = (3, 2) if environment == "production" else (1, 1)
    return {
        "num_partitions": _partitions(topic, environment),
        "replication_factor": replicas,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": str(topic.retention_days * _DAY_MS),
            "min.insync.replicas": str(in_sync),
            "max.message.bytes": str(_LARGEST_BATCH),
            # A replay "from ten o'clock" means when the broker had it; the clock of a sender may be off.
            "message.timestamp.type": "LogAppendTime",
        },
    }


def _create(admin: Any, topics: Mapping[str, Mapping[str, Any]]) -> None:
    if not topics:
        return
    for answer in admin.create_topics(topics, raise_errors=False)["topics"]:
        # Somebody else may have created it a moment ago.
        if answer["error_code"] not in (0, TopicAlreadyExistsError.errno):
            reason = answer["error_message"] or for_code(answer["error_code"]).__name__
            raise TopicRefused(f"Kafka refused the topic {answer['name']}: {reason}")
    admin.wait_for_topics(list(topics), timeout_ms=20_000)


def _require_declared_partitions(
    existing: Mapping[str, int], declared: Mapping[str, Declared], environment: str
) -> None:
    wrong = [
        f"{name} has {count} partitions, declared are {_partitions(declared[name], environment)}"
        for name, count in sorted(existing.items())
        if count != _partitions(declared[name], environment)
    ]
    if wrong:
        raise TopicMismatch(f"{'; '.join(wrong)}. The number is fixed for life: correct the declaration.")


def main() -> int:
    """Create every declared topic; 0, or 1 with one sentence that says what is wrong."""
    try:
        settings = KafkaSettings.from_env("topics")
        if settings.kafka_bootstrap is None:
            raise SettingsError("CRM_KAFKA_BOOTSTRAP names no Kafka cluster (host:port,...).")
        created = create_topics(
            settings.kafka_bootstrap,
            Catalog.load().topics.values(),
            settings.environment,
            login=KafkaLogin.of(settings),
        )
    except (SettingsError, BusUnavailable, TopicRefused, TopicMismatch) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    for name in created:
        sys.stdout.write(f"created {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
