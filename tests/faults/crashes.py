"""Faults 1 to 5: processes killed at named points, and at random."""

from __future__ import annotations

import random
import time
from functools import partial

from shared.crash_points import POINTS
from tests.faults.registry import fault
from tests.faults.world import World

_KILLS = {
    1: ("writer", "W"),
    2: ("relay", "R"),
    3: ("ingest", "I"),
    4: ("worker", "H"),
}
_PLACES = {"W1": ("erp", "web"), "W2": ("erp", "web"), "W3": ("erp", "bus"), "R": ("erp", "bus")}


def _place(point: str) -> tuple[str, str]:
    return _PLACES.get(point) or _PLACES.get(point[0]) or ("sales", "bus")


def _kill_at(point: str, world: World) -> None:
    """Let the process come to the point some times under load, die there, and be started again."""
    service, role = _place(point)
    times = random.Random(world.seed).randrange(2, 12)
    # What follows a lost answer is known after half a minute; until then the request counts as at work.
    patience = 40.0 if world.long else 3.0
    with world.load(patience=patience):
        world.wait_heard(20)
        doomed = world.doom(service, role, f"{point}:{times}")
        world.wait_crashed(doomed)
        world.revive(doomed)
        world.wait_answered(20)
    world.healed()
    if point == "R2":
        repeats = world.verdict().repeats
        world.expect(repeats > 0, "nothing was sent twice, so the fault was none")


for _number, (_who, _letter) in _KILLS.items():
    for _point, _says in POINTS.items():
        if _point.startswith(_letter):
            fault(_number, f"kill-{_who}-{_point}", f"kill -9 of the {_who}: {_says}")(
                partial(_kill_at, _point)
            )


@fault(5, "kill-at-random", "kill -9 of any process every 2 to 5 s for a minute", readers=2, relays=2)
def _kill_at_random(world: World) -> None:
    chance = random.Random(world.seed)
    ends_at = time.monotonic() + (60 if world.long else 8)
    with world.load(patience=40.0 if world.long else 5.0):
        world.wait_heard(10)
        while time.monotonic() < ends_at:
            time.sleep(chance.uniform(2, 5) if world.long else chance.uniform(0.5, 2))
            chance.choice(world.members).kill()
    world.healed()
    world.expect(sum(member.starts for member in world.members) > len(world.members), "nobody was killed")
