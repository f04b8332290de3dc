"""The whole suite on a real Apache Kafka: the demo, and a broker that dies and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local import demo_proof as proof
from deploy.local.demo_flow import Cast, accept_offer, find_order, known_deal, send_offer
from deploy.local.kafka import broker_libraries
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite
from shared.testing.kafka import skip_without_kafka
from tests.flows.acts import assert_as_promised, assert_paid_once, chapter_of, run_demo

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def suite(make_suite: Callable[..., LocalSuite]) -> LocalSuite:
    try:
        broker_libraries()
    except LocalProblem as problem:
        skip_without_kafka(str(problem))
    made = make_suite(bus="kafka")
    made.start()
    return made


def test_the_demo_shows_what_it_promises(suite: LocalSuite, tmp_path: Path) -> None:
    assert_as_promised(run_demo(suite, tmp_path / "demo.json"), suite)


def test_while_the_broker_is_dead_writes_go_on_and_afterwards_all_drains(
    suite: LocalSuite, tmp_path: Path
) -> None:
    cast, chapter = Cast(suite), chapter_of(suite, tmp_path)
    deal = known_deal(cast, chapter, "Nebel AG", "A deal in silence")
    link = send_offer(cast, chapter, deal)
    with suite.held_down("kafka"):
        accept_offer(cast, chapter, deal, link)
        find_order(cast, chapter, deal)
        time.sleep(3.0)
        assert proof.count(cast.admin, deal) == {**dict.fromkeys(proof.PAID, 0), "orders": 1}
    assert_paid_once(cast, chapter, deal)
