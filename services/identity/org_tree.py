"""Trees of people and of teams: who is above whom, without rings and not too deep."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping

__all__ = ["MAX_DEPTH", "chart", "refuse_move"]

MAX_DEPTH = 12
"""Levels from the top of a tree to its lowest leaf, both counted."""

Parents = Mapping[uuid.UUID, uuid.UUID | None]


def refuse_move(parents: Parents, node: uuid.UUID, parent: uuid.UUID) -> str | None:
    """Why `node`, with all that hangs below it, may not hang below `parent`; None when it may.

    `parents` is a sound tree: every node's parent, None or absent at the top.
    """
    above = _upwards(parents, parent)
    if node in above:
        return "It would be above itself: that closes a ring."
    if len(above) + _height(parents, node) > MAX_DEPTH:
        return f"The tree has at most {MAX_DEPTH} levels."
    return None


def chart(parents: Parents) -> Iterator[tuple[uuid.UUID, int]]:
    """Every node with its level (1 at the top), each directly followed by what hangs below it.

    A node whose parent is not among the nodes stands at the top. Brothers keep the order of `parents`.
    """
    below = _children(parents)
    waiting = [(node, 1) for node in reversed(list(parents)) if parents[node] not in parents]
    while waiting:
        node, level = waiting.pop()
        yield node, level
        waiting.extend((child, level + 1) for child in reversed(below.get(node, [])))


def _upwards(parents: Parents, node: uuid.UUID) -> Collection[uuid.UUID]:
    """`node`, its parent, and so on to the top."""
    found = [node]
    while (parent := parents.get(found[-1])) is not None:
        found.append(parent)
    return found


def _height(parents: Parents, node: uuid.UUID) -> int:
    """Levels from `node` down to its lowest leaf, both counted."""
    below = _children(parents)
    height, level = 0, [node]
    while level:
        height += 1
        level = [child for parent in level for child in below.get(parent, [])]
    return height


def _children(parents: Parents) -> dict[uuid.UUID, list[uuid.UUID]]:
    below: dict[uuid.UUID, list[uuid.UUID]] = {}
    for node, parent in parents.items():
        if parent is not None:
            below.setdefault(parent, []).append(node)
    return below
