"""What the rolling upgrade is watched with notices what should not be."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from deploy.local.problems import free_port
from tests.faults.checker import Verdict
from tests.faults.rolling.balancer import Balancer
from tests.faults.rolling.clients import Answer
from tests.faults.rolling.outcome import compare


def _server() -> socket.socket:
    server = socket.create_server(("127.0.0.1", free_port()))
    server.settimeout(30)
    return server


def test_new_connections_go_to_the_ready_in_turn_and_open_ones_stay() -> None:
    balancer = Balancer(free_port())
    with _server() as first, _server() as second:
        ports = [server.getsockname()[1] for server in (first, second)]
        balancer.start()
        for port in ports:
            balancer.add(port)
        callers = [socket.create_connection(("127.0.0.1", balancer.listen), 30) for _ in range(2)]
        called = [server.accept()[0] for server in (first, second)]
        balancer.remove(ports[0])
        callers.append(socket.create_connection(("127.0.0.1", balancer.listen), 30))
        called.append(second.accept()[0])
        for caller, answering in zip(callers, called, strict=True):
            answering.sendall(b"here")
            assert caller.recv(4) == b"here"
        balancer.shut()
        for connection in (*callers, *called):
            connection.close()


def test_with_nobody_ready_a_caller_is_turned_away() -> None:
    balancer = Balancer(free_port())
    balancer.start()
    with socket.create_connection(("127.0.0.1", balancer.listen), 30) as caller:
        assert caller.recv(1) == b""
    balancer.shut()


@pytest.mark.parametrize(
    ("status", "failed"), [(0, True), (200, False), (201, False), (409, False), (429, True), (503, True)]
)
def test_no_answer_and_errors_of_the_suite_are_failures(status: int, failed: bool) -> None:
    assert Answer("sales", "GET /v1/orders", status, "", "").failed is failed


def test_what_is_missing_too_much_or_unasked_for_is_found() -> None:
    verdict = Verdict()
    compare(verdict, {"a", "b", "c"}, Counter(a=1, c=2, d=1), "orders", 1)
    assert verdict.lost == ["b: 0 orders, not 1"]
    assert verdict.doubles == ["c: 2 orders, not 1"]
    assert verdict.ghosts == ["d: orders, and nobody was told of it"]
    assert verdict.broken == ["no loss", "no ghost", "effect once"]
