"""What is promised, as statements about a state."""

from __future__ import annotations

from tests.faults.model.protocol import Facts, State, key_of, version_of

__all__ = ["EXACTLY_ONCE", "NO_GHOST", "NO_LOSS", "ORDER", "violated"]

NO_LOSS = "no loss"
NO_GHOST = "no ghost"
ORDER = "order per key"
EXACTLY_ONCE = "exactly-once effect"


def violated(state: State, settled: bool) -> str | None:
    """The first promise that `state` breaks.

    - no ghost: the log and the effects hold committed facts only
    - order per key: in the log the first occurrences, and the effects, follow the versions
    - exactly-once effect: no fact has a second effect
    - no loss: where nothing is left to do (`settled`), every committed fact has its effect; where nobody
      consumes, it is in the log
    """
    committed = {fact for facts in state.committed for fact in facts}
    for facts in (*state.log, *state.effects):
        if not committed.issuperset(facts):
            return NO_GHOST
        if not _in_order(facts):
            return ORDER
    if any(len(facts) != len(set(facts)) for facts in state.effects):
        return EXACTLY_ONCE
    arrived = state.effects if state.ingests else state.log
    if settled and not committed.issubset(fact for facts in arrived for fact in facts):
        return NO_LOSS
    return None


def _in_order(facts: Facts) -> bool:
    """Whether the first occurrences tell each key's changes one after another."""
    told: dict[int, int] = {}
    return all(_follows(told, fact) for fact in dict.fromkeys(facts))


def _follows(told: dict[int, int], fact: str) -> bool:
    key, version = key_of(fact), version_of(fact)
    before = told.get(key, 0)
    told[key] = version
    return version == before + 1
