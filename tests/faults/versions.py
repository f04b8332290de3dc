"""Fault 30 for the whole suite: every service in two versions side by side, forward and back, while people work."""

from __future__ import annotations

import click

from deploy.local.kafka import broker_libraries
from deploy.local.problems import LocalProblem
from shared.testing.suites import free_offset
from tests.faults.lab import NotHere
from tests.faults.registry import fault
from tests.faults.rolling.fleet import RollingSuite
from tests.faults.rolling.upgrade import LONG, SHORT, upgrade
from tests.faults.world import World


@fault(
    30,
    "rolling-upgrade",
    "all services of the suite are upgraded under load, work in both versions for a minute, and go back",
    starts=False,
)
def _rolling_upgrade(world: World) -> None:
    if world.transport == "kafka":
        try:
            broker_libraries()
        except LocalProblem as problem:
            raise NotHere(str(problem)) from problem
    suite = RollingSuite(world.folder / "suite", free_offset(), world.transport)
    result = upgrade(suite, world.folder, LONG if world.long else SHORT)
    click.echo(result.says())
    for says in result.wrong:
        world.expect(False, says)
    world.conclude(result.verdict, result.recovery)
