"""Creating the declared topics on a real broker."""

from __future__ import annotations

import threading
import time

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from shared.messaging.topics import TopicMismatch, TopicRefused, create_topics, main
from shared.messaging.transport import BusUnavailable
from shared.testing.kafka import BrokerForTests
from tests.shared.messaging.buses import DeclaredForTest

pytestmark = pytest.mark.kafka


def _partitions(bootstrap: str, topic: str) -> int:
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        (described,) = admin.describe_topics([topic])
    finally:
        admin.close()
    return len(described["partitions"])


def test_missing_topics_are_created_once_with_their_partitions(
    kafka_bootstrap: str, kafka_topic: str
) -> None:
    declared = [DeclaredForTest(f"{kafka_topic}.a"), DeclaredForTest(f"{kafka_topic}.b", {"development": 1})]
    assert create_topics(kafka_bootstrap, declared, "local") == [f"{kafka_topic}.a", f"{kafka_topic}.b"]
    assert [_partitions(kafka_bootstrap, topic.name) for topic in declared] == [3, 1]
    assert create_topics(kafka_bootstrap, declared, "local") == []


def test_a_topic_carries_its_retention_and_the_brokers_time(kafka_bootstrap: str, kafka_topic: str) -> None:
    create_topics(kafka_bootstrap, [DeclaredForTest(kafka_topic, retention_days=90)], "local")
    admin = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    try:
        configs = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, kafka_topic)])
    finally:
        admin.close()
    values = {name: config["value"] for name, config in configs["topic"][kafka_topic].items()}
    assert values["retention.ms"] == str(90 * 24 * 3_600_000)
    assert values["message.timestamp.type"] == "LogAppendTime"


def test_another_number_of_partitions_is_refused_and_nothing_is_created(
    kafka_bootstrap: str, kafka_topic: str
) -> None:
    create_topics(kafka_bootstrap, [DeclaredForTest(kafka_topic)], "local")
    changed = [DeclaredForTest(kafka_topic, {"development": 4}), DeclaredForTest(f"{kafka_topic}.new")]
    with pytest.raises(TopicMismatch, match=f"{kafka_topic} has 3 partitions, declared are 4"):
        create_topics(kafka_bootstrap, changed, "local")
    assert _partitions(kafka_bootstrap, kafka_topic) == 3
    assert _partitions(kafka_bootstrap, f"{kafka_topic}.new") == 0


def test_a_topic_the_cluster_will_not_have_is_named(kafka_bootstrap: str) -> None:
    with pytest.raises(TopicRefused, match="no such name!"):
        create_topics(kafka_bootstrap, [DeclaredForTest("no such name!")], "local")


def test_more_replicas_than_brokers_are_refused(kafka_bootstrap: str, kafka_topic: str) -> None:
    with pytest.raises(TopicRefused, match="replication factor"):
        create_topics(kafka_bootstrap, [DeclaredForTest(kafka_topic)], "production")


def test_waiting_for_a_cluster_ends_with_the_patience() -> None:
    with pytest.raises(BusUnavailable, match=r"127\.0\.0\.1:1"):
        create_topics("127.0.0.1:1", [], "local", patience=0.1)


def test_waiting_for_a_cluster_ends_when_it_is_stopped() -> None:
    stop = threading.Event()
    stop.set()
    began = time.monotonic()
    with pytest.raises(BusUnavailable):
        create_topics("127.0.0.1:1", [], "local", stop=stop, patience=600)
    assert time.monotonic() - began < 60


def test_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CRM_KAFKA_BOOTSTRAP", raising=False)
    assert main() == 1
    assert capsys.readouterr().err == "CRM_KAFKA_BOOTSTRAP names no Kafka cluster (host:port,...).\n"


def test_the_command_creates_every_declared_topic_and_says_so_once(
    own_kafka: BrokerForTests, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The broker that the run shares may hold these topics already.
    monkeypatch.setenv("CRM_KAFKA_BOOTSTRAP", own_kafka.bootstrap)
    monkeypatch.delenv("CRM_ENVIRONMENT", raising=False)
    assert main() == 0
    assert "created crm.sales.opportunity\n" in capsys.readouterr().out
    assert main() == 0
    assert capsys.readouterr().out == ""
