"""A broker that asks who is there: TLS, a password for each service, and rights that follow the declared topics."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import pytest

from deploy.docker.certificates import Authority
from deploy.local.kafka import Broker, Security, broker_libraries
from deploy.local.problems import LocalProblem, free_port
from shared.contracts.catalog import Catalog
from shared.messaging import principals
from shared.messaging.kafka import KafkaBus
from shared.messaging.kafka_login import KafkaLogin
from shared.messaging.principals import Right, grant, rights_of, username
from shared.messaging.topics import TopicRefused, connect_patiently, create_topics
from shared.messaging.transport import BusUnavailable, OutgoingRecord
from shared.testing.kafka import skip_without_kafka

pytestmark = pytest.mark.kafka

PASSWORDS = {"sales": "a-password-of-sales", "support": "a-password-of-support", "web": "a-password-of-web"}
OPPORTUNITY = "crm.sales.opportunity"


@dataclass(frozen=True)
class Topic:
    name: str = "crm.sales.secret"
    partitions: dict[str, int] = field(default_factory=lambda: {"production": 12, "development": 3})
    retention_days: int = 14


@dataclass(frozen=True)
class Secured:
    """A running broker and how to log in."""

    broker: Broker
    certificates: Path

    def login(self, service: str) -> KafkaLogin:
        return self._as(username(service), PASSWORDS[service])

    @property
    def admin(self) -> KafkaLogin:
        return self._as("admin", "a-password-of-admin")

    def bus(self, service: str) -> KafkaBus:
        return KafkaBus(self.broker.bootstrap, login=self.login(service))

    def _as(self, name: str, password: str) -> KafkaLogin:
        return KafkaLogin("SASL_SSL", name, password, self.certificates / "ca.pem")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    try:
        broker_libraries()
    except LocalProblem as problem:
        skip_without_kafka(str(problem))
    home = tmp_path_factory.mktemp("secured")
    authority = Authority.found("test")
    identity = authority.issue("kafka", ["127.0.0.1"])
    (home / "ca.pem").write_bytes(authority.identity.certificate)
    (home / "kafka.pem").write_bytes(identity.key + identity.certificate)
    port = free_port(3)
    broker = Broker(home / "kafka", port, Security(home, "a-password-of-admin", port + 2))
    broker.start()
    running = Secured(broker, home)
    create_topics(broker.bootstrap, Catalog.load().topics.values(), "local", login=running.admin)
    grant(broker.bootstrap, running.admin, PASSWORDS, Catalog.load())
    for service in PASSWORDS:
        connect_patiently(broker.bootstrap, running.login(service), threading.Event(), 60).close()
    yield running
    broker.kill()


def _record(topic: str, key: str = "a") -> OutgoingRecord:
    return OutgoingRecord(topic, key, {"n": "1"}, b"{}")


def _eventually(holds: Callable[[], bool]) -> bool:
    """A broker hears of new rights a moment after the controller took them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


def _outcome(bus: KafkaBus, record: OutgoingRecord) -> str:
    """What becomes of a record; empty when the broker took it."""
    publisher = bus.publisher()
    try:
        (outcome,) = publisher.publish([record])
    except BusUnavailable as error:
        outcome = error
    publisher.close()
    return str(outcome or "")


def _keys(bus: KafkaBus, topic: str) -> list[str]:
    return [record.key for record in bus.read(topic)]


def test_rights_follow_the_declared_topics() -> None:
    assert rights_of("web", Catalog.load()) == {Right("write", "topic", "crm.web.dlq")}
    rights = rights_of("support", Catalog.load())
    assert {Right("read", "topic", OPPORTUNITY), Right("read", "group", "crm.support")} < rights
    assert {right.name.split(".")[1] for right in rights if right.operation == "write"} == {"support"}
    assert {right.name for right in rights if right.kind == "group"} == {"crm.support"}


def test_a_service_writes_its_topic_and_another_reads_it_in_its_group(secured: Secured) -> None:
    assert _outcome(secured.bus("sales"), _record(OPPORTUNITY, "mine")) == ""
    subscriber = secured.bus("support").subscriber("crm.support", [OPPORTUNITY])
    deadline = time.monotonic() + 60
    received: list[str] = []
    while not received and time.monotonic() < deadline:
        received = [record.key for record in subscriber.poll(0.5)]
    subscriber.commit()
    subscriber.close()
    assert received == ["mine"]


def test_a_reader_cannot_write_the_topic_that_it_reads(secured: Secured) -> None:
    said = _outcome(secured.bus("support"), _record(OPPORTUNITY, "forged"))
    assert said == f"Kafka did not acknowledge: [Error 29] TopicAuthorizationFailedError: {OPPORTUNITY}"
    assert "forged" not in _keys(secured.bus("support"), OPPORTUNITY)


def test_a_service_reads_no_topic_that_it_does_not_subscribe_to(secured: Secured) -> None:
    assert _outcome(secured.bus("sales"), _record(OPPORTUNITY, "private")) == ""
    assert _keys(secured.bus("web"), OPPORTUNITY) == []


def test_a_service_is_no_member_of_anothers_group(secured: Secured) -> None:
    subscriber = secured.bus("sales").subscriber("crm.support", ["crm.marketing.lead"])
    with pytest.raises(BusUnavailable, match="GroupAuthorizationFailed"):
        subscriber.poll(30)
    subscriber.close()


def test_a_service_makes_no_topics(secured: Secured) -> None:
    with pytest.raises(TopicRefused, match=r"Kafka refused the topic crm\.sales\.secret: .*[Aa]uthorization"):
        create_topics(secured.broker.bootstrap, [Topic()], "local", login=secured.login("sales"))


def _not_let_in(secured: Secured, login: KafkaLogin) -> str:
    """What is said about a login that does not work."""
    with pytest.raises(BusUnavailable) as caught:
        KafkaBus(secured.broker.bootstrap, login=login).publisher()
    return str(caught.value).removeprefix(f"Kafka cannot be reached at {secured.broker.bootstrap}: ")


def test_a_wrong_password_is_one_clear_sentence(secured: Secured) -> None:
    said = _not_let_in(secured, replace(secured.login("sales"), password="wrong"))
    assert said == "it answers, so it must have refused the login of crm-sales"


def test_whoever_does_not_say_who_they_are_gets_nowhere(secured: Secured) -> None:
    said = _not_let_in(secured, replace(secured.login("sales"), security="SSL"))
    assert said == "it answers, so it must have refused whoever does not log in"
    said = _not_let_in(secured, replace(secured.login("sales"), security="PLAINTEXT"))
    assert said == f"KafkaTimeoutError: Unable to bootstrap from {secured.broker.bootstrap}"


def test_a_broker_of_another_authority_is_not_believed(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority.found("somebody else").identity.certificate)
    said = _not_let_in(secured, replace(secured.login("sales"), ca_file=tmp_path / "ca.pem"))
    assert said.startswith("its certificate is not trusted: ")


def test_old_tls_is_refused(secured: Secured) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(secured.certificates / "ca.pem")
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", secured.broker.port), timeout=30) as raw,
        pytest.raises(OSError, match=r"(?i)ssl|reset|eof|protocol"),
    ):
        old.wrap_socket(raw, server_hostname="127.0.0.1")


def test_a_new_password_ends_the_old_one_and_cuts_nobody_off(secured: Secured) -> None:
    """What a rotation does: who is logged in stays, who comes next needs the new one."""
    old, new = secured.login("support"), replace(secured.login("support"), password="another-of-support")
    record = _record("crm.support.case", "rotated")
    running = KafkaBus(secured.broker.bootstrap, login=old).publisher()
    catalog = Catalog.load()
    try:
        grant(secured.broker.bootstrap, secured.admin, {"support": str(new.password)}, catalog)
        assert _eventually(lambda: _outcome(KafkaBus(secured.broker.bootstrap, login=new), record) == "")
        assert "refused the login of crm-support" in _not_let_in(secured, old)
        assert running.publish([record]) == [None]
    finally:
        running.close()
        grant(secured.broker.bootstrap, secured.admin, {"support": PASSWORDS["support"]}, catalog)
    assert _eventually(lambda: _outcome(secured.bus("support"), record) == "")


def test_a_login_is_printed_without_its_password(secured: Secured) -> None:
    assert PASSWORDS["sales"] not in repr(secured.login("sales"))


def test_setting_up_again_takes_away_what_is_not_declared(secured: Secured) -> None:
    """The job itself, as the deployment runs it, after somebody has been generous by hand."""
    extra = Right("write", "topic", OPPORTUNITY)
    catalog = Catalog.load()
    with patch.object(principals, "rights_of", lambda service, known: rights_of(service, known) | {extra}):
        grant(secured.broker.bootstrap, secured.admin, {"web": PASSWORDS["web"]}, catalog)
    assert _eventually(lambda: _outcome(secured.bus("web"), _record(OPPORTUNITY, "generous")) == "")
    folder = secured.certificates / "passwords"
    folder.mkdir()
    for service, password in PASSWORDS.items():
        (folder / service).write_text(f"{password}\n")
    (secured.certificates / "admin").write_text("a-password-of-admin")
    environ = {
        "CRM_KAFKA_BOOTSTRAP": secured.broker.bootstrap,
        "CRM_KAFKA_SECURITY": "SASL_SSL",
        "CRM_KAFKA_USERNAME": "admin",
        "CRM_KAFKA_PASSWORD_FILE": str(secured.certificates / "admin"),
        "CRM_KAFKA_CA_FILE": str(secured.certificates / "ca.pem"),
    }
    command = [sys.executable, "-m", "deploy.kafka.setup", str(folder)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "users and rights are set for sales, support, web\n"
    refused = "TopicAuthorizationFailed"
    assert _eventually(lambda: refused in _outcome(secured.bus("web"), _record(OPPORTUNITY, "late")))
