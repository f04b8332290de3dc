"""Kafka's topics and groups, as an administrator sees them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from shared.contracts.catalog import Catalog
from shared.messaging.kafka_login import connect
from shared.messaging.topics import create_topics
from tests.shared.ledger import TOPIC

__all__ = ["KafkaGroups"]

GROUP = "crm.sales"
_TOPICS = (TOPIC, "crm.erp.dlq", "crm.sales.dlq")


class KafkaGroups:
    """The ledger's topics and the reader's group on the cluster at `bootstrap`."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    def start_afresh(self) -> None:
        """Empty topics, and a group that has read nothing. Nobody may be using them."""
        with self._admin() as admin:
            if _delete_topics(admin):
                admin.delete_groups([GROUP])
        create_topics(
            self._bootstrap, [t for t in Catalog.load().topics.values() if t.name in _TOPICS], "local"
        )

    def lag(self) -> int:
        """How many records the group has not committed."""
        with self._admin() as admin:
            partitions = _partitions(admin)
            committed = admin.list_group_offsets({GROUP: partitions})[GROUP]
            waiting = 0
            for partition, end in _ends(admin, partitions).items():
                at = committed.get(partition)
                waiting += end - max(0, at.offset if at is not None else 0)
        return waiting

    def rewind(self) -> None:
        """Let the group read everything again. It must have no members."""
        with self._admin() as admin:
            admin.reset_group_offsets(GROUP, dict.fromkeys(_partitions(admin), 0))

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = connect(KafkaAdminClient, self._bootstrap, client_id="faults")
        try:
            yield admin
        finally:
            admin.close()


def _partitions(admin: Any) -> list[TopicPartition]:
    (topic,) = admin.describe_topics([TOPIC])
    return [TopicPartition(TOPIC, each["partition_index"]) for each in topic["partitions"]]


def _ends(admin: Any, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    found = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    return {partition: at.offset for partition, at in found.items()}


def _delete_topics(admin: Any) -> bool:
    """Delete the topics; whether there were any."""
    deadline = time.monotonic() + 30
    found = False
    while time.monotonic() < deadline:
        there = [topic["name"] for topic in admin.describe_topics(list(_TOPICS)) if topic["error_code"] == 0]
        if not there:
            return found
        found = True
        try:
            admin.delete_topics(there)
        except KafkaError:
            time.sleep(0.1)
    raise AssertionError("the topics of an earlier proof could not be deleted")
