"""Roles combined and compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.grants import beyond, combine, narrow, reach_of, widest
from shared.access.principal import REACHES, Reach

GRANTS = st.dictionaries(st.sampled_from(["a.read", "a.edit", "b.read", "*"]), st.sampled_from(REACHES)).map(
    lambda grants: {name: "all" if name == "*" else reach for name, reach in grants.items()}
)


def test_two_roles_give_the_union_with_the_widest_reach() -> None:
    sales_rep: dict[str, Reach] = {"opportunity.read": "territory", "opportunity.win": "own"}
    agent: dict[str, Reach] = {"opportunity.read": "own", "case.read": "team"}
    assert combine([sales_rep, agent]) == {
        "opportunity.read": "territory",
        "opportunity.win": "own",
        "case.read": "team",
    }


def test_who_holds_everything_needs_no_list() -> None:
    assert combine([{"case.read": "own"}, {"*": "all"}]) == {"*": "all"}
    assert reach_of({"*": "all"}, "case.read") == "all"
    assert reach_of({"case.read": "own"}, "case.edit") is None
    assert combine([]) == {}


def test_what_goes_beyond_names_missing_and_narrower_permissions_alike() -> None:
    own: dict[str, Reach] = {"case.read": "team", "case.edit": "own"}
    given_: dict[str, Reach] = {"case.read": "all", "case.edit": "own", "user.edit": "all"}
    assert beyond(given_, own) == ["case.read", "user.edit"]
    assert beyond(given_, {"*": "all"}) == []
    assert beyond({"*": "all"}, own) == ["*"]


@pytest.mark.parametrize(
    ("scopes", "left"),
    [
        (["case.read"], {"case.read": "team"}),
        ([], {}),
        (["case.read", "user.edit"], None),
    ],
)
def test_narrowing_refuses_what_is_not_held(scopes: list[str], left: dict[str, Reach] | None) -> None:
    assert narrow({"case.read": "team", "case.edit": "own"}, scopes) == left


@given(GRANTS, GRANTS)
def test_a_union_goes_beyond_neither_way_and_holds_both(
    one: dict[str, Reach], other: dict[str, Reach]
) -> None:
    both = combine([one, other])
    assert beyond(one, both) == beyond(other, both) == []
    assert both == combine([other, one])
    for permission in ("a.read", "a.edit", "b.read"):
        reaches = [reach for reach in (reach_of(one, permission), reach_of(other, permission)) if reach]
        assert reach_of(both, permission) == (widest(reaches) if reaches else None)
