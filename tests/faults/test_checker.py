"""The checker turns red for each thing that must not happen, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.checker import Effect, Entry, Evidence, Operation, Told, Verdict, check

GOOD = Evidence(
    operations=[
        Operation("a1", "create", ("A",), 100, 1, "ok"),
        Operation("b1", "create", ("B",), 50, 1, "ok"),
        Operation("t1", "transfer", ("A", "B"), 0, 2, "ok"),
        Operation("d1", "deposit", ("A",), 7, 1, "fail"),
        Operation("d2", "deposit", ("A",), 5, 1, "info"),
    ],
    purses={"A": (2, 90), "B": (2, 60)},
    told=[Told("1", "A", 1, "a1"), Told("2", "B", 1, "b1"), Told("3", "A", 2, "t1"), Told("4", "B", 2, "t1")],
    log=[
        Entry("1", "A", 1, "0:0"),
        Entry("2", "B", 1, "0:1"),
        Entry("3", "A", 2, "0:2"),
        Entry("4", "B", 2, "0:3"),
    ],
    effects=[
        Effect("2", "B", 1, 50),
        Effect("1", "A", 1, 100),
        Effect("3", "A", 2, 90),
        Effect("4", "B", 2, 60),
    ],
)


def test_what_was_promised_is_green() -> None:
    verdict = check(GOOD)
    assert (verdict.broken, verdict.findings()) == ([], [])
    assert (verdict.acknowledged, verdict.unknown, verdict.facts, verdict.repeats) == (3, 1, 4, 0)


def test_a_repeat_on_the_bus_is_counted_and_is_no_fault() -> None:
    verdict = check(replace(GOOD, log=[*GOOD.log, Entry("1", "A", 1, "0:4"), Entry("1", "A", 1, "0:5")]))
    assert (verdict.broken, verdict.repeats) == ([], 2)


def test_an_unknown_operation_may_be_true_or_not() -> None:
    told = [*GOOD.told, Told("5", "A", 3, "d2")]
    log = [*GOOD.log, Entry("5", "A", 3, "0:4")]
    effects = [*GOOD.effects, Effect("5", "A", 3, 95)]
    assert (
        check(replace(GOOD, told=told, log=log, effects=effects, purses={"A": (3, 95), "B": (2, 60)})).broken
        == []
    )


def _broken(**changes: object) -> Verdict:
    return check(replace(GOOD, **changes))


def test_a_fact_that_never_came_to_the_bus_is_lost() -> None:
    verdict = _broken(log=GOOD.log[:-1])
    assert (verdict.broken, verdict.lost) == (["no loss"], ["B: v2 4 never came to the bus"])
    assert verdict.offender == "B"


def test_a_fact_without_an_effect_is_lost() -> None:
    verdict = _broken(effects=GOOD.effects[:-1])
    assert verdict.lost == ["B: v2 4 had no effect"]
    assert verdict.broken == ["no loss", "sum"]


def test_an_acknowledged_operation_that_is_not_there_is_lost() -> None:
    lost = Operation("a9", "create", ("C",), 1, 1, "ok")
    assert _broken(operations=[*GOOD.operations, lost]).lost == ["C: a9 was acknowledged and is not there"]


def test_a_version_that_was_never_told_is_lost() -> None:
    verdict = _broken(purses={"A": (3, 90), "B": (2, 60)})
    assert (verdict.broken, verdict.lost) == (["no loss"], ["A: it stands at event 3, told are [1, 2]"])


def test_half_a_transfer_is_lost() -> None:
    verdict = _broken(
        told=GOOD.told[:-1], log=GOOD.log[:-1], effects=GOOD.effects[:-1], purses={"A": (2, 90), "B": (1, 50)}
    )
    assert verdict.lost == ["A: t1 was done in part"]
    assert verdict.broken == ["no loss", "sum"]


def test_what_was_never_committed_is_a_ghost_on_the_bus_and_in_effects() -> None:
    verdict = _broken(log=[*GOOD.log, Entry("9", "A", 3, "0:4")])
    assert (verdict.broken, verdict.ghosts) == (["no ghost"], ["A: 9 is on the bus, and was never committed"])
    verdict = _broken(effects=[*GOOD.effects, Effect("9", "B", 3, 60)])
    assert (verdict.broken, verdict.ghosts) == (["no ghost"], ["B: 9 had an effect, and was never committed"])


def test_a_refused_operation_that_is_there_is_a_ghost() -> None:
    operations = [replace(each, state="fail") if each.name == "t1" else each for each in GOOD.operations]
    assert _broken(operations=operations).ghosts == ["A: t1 was refused and is there"]


def test_an_effect_that_happened_twice_is_noticed() -> None:
    verdict = _broken(effects=[*GOOD.effects, GOOD.effects[-1]])
    assert (verdict.broken, verdict.doubles) == (["effect once"], ["B: v2 4 had 2 effects"])


def test_an_operation_that_was_done_twice_is_noticed() -> None:
    verdict = check(
        replace(
            GOOD,
            told=[*GOOD.told, Told("5", "A", 3, "a1")],
            log=[*GOOD.log, Entry("5", "A", 3, "0:4")],
            effects=[*GOOD.effects, Effect("5", "A", 3, 190)],
            purses={"A": (3, 190), "B": (2, 60)},
        )
    )
    assert verdict.doubles == ["A: a1 was done more than once"]
    assert verdict.broken == ["effect once", "sum"]


def test_first_occurrences_out_of_order_are_noticed_and_repeats_are_not() -> None:
    first, second, third, fourth = GOOD.log
    verdict = _broken(log=[third, second, first, fourth])
    assert (verdict.broken, verdict.disorder) == (["order"], ["A: on the bus the order is [2, 1]"])
    assert _broken(log=[first, second, third, first, fourth]).broken == []


def test_effects_out_of_order_are_noticed() -> None:
    fourth, first, third, second = (GOOD.effects[index] for index in (0, 1, 2, 3))
    verdict = _broken(effects=[fourth, third, first, second])
    assert verdict.disorder == ["A: in effects the order is [2, 1]"]


def test_money_that_came_from_nowhere_is_noticed() -> None:
    verdict = _broken(purses={"A": (2, 91), "B": (2, 60)})
    assert verdict.unbalanced == [
        "the purses hold 151, put in were 150",
        "the reader counts 150, the purses hold 151",
    ]


def test_the_report_tells_all_that_is_known_of_a_key() -> None:
    assert GOOD.history("B") == [
        "key B",
        "  asked    ok   create b1",
        "  asked    ok   transfer t1",
        "  stands   at event 2 with a balance of 60",
        "  told     v1 2 by b1",
        "  told     v2 4 by t1",
        "  log      v1 2 at 0:1",
        "  log      v2 4 at 0:3",
        "  effect   v1 2 balance 50",
        "  effect   v2 4 balance 60",
    ]
