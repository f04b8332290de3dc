"""The faults by number and name, and what running one of them gives."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.suite import ROOT
from tests.faults.checker import Verdict
from tests.faults.lab import Lab, NotHere
from tests.faults.world import NeverQuiet, World

__all__ = ["BOTH", "FAULTS", "Fault", "Result", "fault", "run"]

BOTH = ("postgres", "kafka")


@dataclass(frozen=True)
class Fault:
    """`number` groups variants of one fault; `says` is what is done, `strike` does it to a running world."""

    number: int
    name: str
    says: str
    transports: tuple[str, ...]
    strike: Callable[[World], None]
    readers: int = 1
    relays: int = 1
    starts: bool = True


FAULTS: dict[str, Fault] = {}


def fault(
    number: int,
    name: str,
    says: str,
    transports: tuple[str, ...] = BOTH,
    *,
    readers: int = 1,
    relays: int = 1,
    starts: bool = True,
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Enter a function as the fault that it does. With `starts=False` it starts the world itself."""

    def enter(strike: Callable[[World], None]) -> Callable[[World], None]:
        assert name not in FAULTS, f"{name} is entered twice"
        FAULTS[name] = Fault(number, name, says, transports, strike, readers, relays, starts)
        return strike

    return enter


@dataclass
class Result:
    """What came of one fault on one transport with one seed."""

    fault: Fault
    transport: str
    seed: int
    verdict: Verdict = field(default_factory=Verdict)
    recovery: float = 0.0
    seconds: float = 0.0
    extra: list[str] = field(default_factory=list)
    not_run: str | None = None
    report: list[str] = field(default_factory=list)

    @property
    def red(self) -> bool:
        """Whether something that was promised did not hold."""
        return bool(self.caught_by)

    @property
    def caught_by(self) -> list[str]:
        """The checks that turned red, by name."""
        return [*self.verdict.broken, *(["the fault's own"] if self.extra else [])]


def run(
    lab: Lab, fault: Fault, transport: str, seed: int, *, long: bool = False, tree: Path = ROOT
) -> Result:
    """Start a world, do the fault to it, wait until it is quiet, and check."""
    result = Result(fault, transport, seed)
    began = time.monotonic()
    world = World(lab, transport, seed, tree, long)
    try:
        if fault.starts:
            world.start(fault.readers, fault.relays)
        fault.strike(world)
        result.verdict = world.verdict()
    except NotHere as why:
        result.not_run = str(why)
    except Exception as why:  # what keeps a proof from being made is no proof
        world.expect(False, str(why) if isinstance(why, NeverQuiet) else f"{type(why).__name__}: {why}"[:500])
        result.verdict = world.look()
    finally:
        result.seconds = time.monotonic() - began
        result.recovery = world.recovery
        result.extra = world.extra
        if result.red:
            result.report = world.report(result.verdict)
        world.stop()
    return result
