"""The Kafka broker of the embedded deployment."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from deploy.local.kafka import Broker, broker_libraries
from deploy.local.problems import LocalProblem, free_port
from shared.messaging.kafka import KafkaBus
from shared.messaging.topics import create_topics
from shared.messaging.transport import OutgoingRecord
from shared.testing.kafka import skip_without_kafka

pytestmark = pytest.mark.kafka


@dataclass(frozen=True)
class Topic:
    name: str = field(default_factory=lambda: f"crm.test.{uuid.uuid4().hex}")
    partitions: dict[str, int] = field(
        default_factory=lambda: {"production": 12, "local": 3, "development": 3}
    )
    retention_days: int = 14


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    try:
        broker_libraries()
    except LocalProblem as problem:
        skip_without_kafka(str(problem))
    server = Broker(tmp_path_factory.mktemp("kafka") / "kafka", free_port(2))
    server.start()
    yield server
    server.kill()


def test_acknowledged_records_survive_a_killed_broker(broker: Broker) -> None:
    topic = Topic()
    create_topics(broker.bootstrap, [topic], "local")
    publisher = KafkaBus(broker.bootstrap).publisher()
    records = [OutgoingRecord(topic.name, "a", {"n": str(n)}, b"{}") for n in range(10)]
    assert publisher.publish(records) == [None] * 10
    broker.kill()
    assert broker.pid is None
    broker.start()
    publisher.close()
    kept = [record.headers["n"] for record in KafkaBus(broker.bootstrap).read(topic.name)]
    assert kept == [str(n) for n in range(10)]


def test_starting_a_running_broker_again_replaces_it(broker: Broker) -> None:
    before = broker.pid
    broker.start()
    assert broker.pid not in (None, before)


def test_without_java_the_reason_is_one_sentence(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LocalProblem) as problem:
        Broker(broker.data / "other", free_port(2)).start()
    assert str(problem.value) == "Java 17 or newer, which Kafka's broker needs, is not installed."
