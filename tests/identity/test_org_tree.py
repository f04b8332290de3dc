"""Trees without rings, at most twelve levels deep."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from services.identity.org_tree import MAX_DEPTH, chart, refuse_move

NODES = [uuid.UUID(int=number) for number in range(1, 31)]
A, B, C, D, E, F = NODES[:6]
COMPANY = {A: None, B: A, C: A, D: B, E: B, F: D}
RING = "It would be above itself: that closes a ring."
TOO_DEEP = "The tree has at most 12 levels."


def chain(length: int) -> dict[uuid.UUID, uuid.UUID | None]:
    return {node: NODES[place - 1] if place else None for place, node in enumerate(NODES[:length])}


def test_a_move_may_not_close_a_ring() -> None:
    assert refuse_move(COMPANY, A, A) == RING
    assert refuse_move(COMPANY, A, F) == RING
    assert refuse_move(COMPANY, B, D) == RING
    assert refuse_move(COMPANY, F, C) is None
    assert refuse_move(COMPANY, D, C) is None


def test_twelve_levels_are_allowed_and_thirteen_are_not() -> None:
    newcomer = NODES[20]
    assert refuse_move(chain(11), newcomer, NODES[10]) is None
    assert refuse_move(chain(12), newcomer, NODES[11]) == TOO_DEEP


def test_what_hangs_below_counts_with_the_one_that_moves() -> None:
    two_more = {NODES[20]: None, NODES[21]: NODES[20]}
    assert refuse_move({**chain(10), **two_more}, NODES[20], NODES[9]) is None
    assert refuse_move({**chain(11), **two_more}, NODES[20], NODES[10]) == TOO_DEEP


def test_the_chart_follows_each_node_with_what_hangs_below_it() -> None:
    assert list(chart(COMPANY)) == [(A, 1), (B, 2), (D, 3), (F, 4), (E, 3), (C, 2)]


def test_a_node_whose_parent_is_not_shown_stands_at_the_top() -> None:
    assert list(chart({D: B, F: D, C: A})) == [(D, 1), (F, 2), (C, 1)]


@given(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=80))
def test_accepted_moves_never_make_a_ring_nor_a_deep_tree(moves: list[tuple[uuid.UUID, uuid.UUID]]) -> None:
    parents: dict[uuid.UUID, uuid.UUID | None] = dict.fromkeys(NODES)
    for node, parent in moves:
        if refuse_move(parents, node, parent) is None:
            parents[node] = parent
    levels = dict(chart(parents))
    assert set(levels) == set(NODES)
    assert max(levels.values()) <= MAX_DEPTH
