"""Every change that is made to a copy of the code still fits the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.catalogue import CATALOGUE, chosen
from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.rolling.next_version import next_version
from tests.faults.trees import Patch, changed, newer, without_leader


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_still_compiles(mutant: Mutant, tmp_path: Path) -> None:
    tree = changed(tmp_path / "tree", mutant.patches)
    for file in {patch.file for patch in mutant.patches}:
        compile((tree / file).read_text(), file, "exec")
    (fault,) = chosen(mutant.fault)
    assert mutant.transport in fault.transports


def test_the_next_versions_and_the_leaderless_one_fit_the_code(tmp_path: Path) -> None:
    newer(tmp_path / "newer")
    next_version(tmp_path / "next")
    without_leader(tmp_path / "leaderless")


def test_a_change_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the patch of shared/settings\.py does not apply"):
        changed(tmp_path / "tree", [Patch("shared/settings.py", "no such line", "")])


def test_every_kind_of_fault_is_there() -> None:
    numbers = {fault.number for fault in CATALOGUE}
    assert numbers == set(range(1, 32))


def test_a_fault_is_found_by_name_and_by_number() -> None:
    assert [fault.name for fault in chosen("poison,8")] == ["broker-refuses", "poison"]
    with pytest.raises(KeyError, match="there is no fault 'lunch'"):
        chosen("lunch")
