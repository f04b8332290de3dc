"""The policy file: what it says, and what it must not say."""

from __future__ import annotations

import pytest

from shared.contracts.policy import ROLES, Policy, PolicyError

GOOD = "{says: See notes, reach: [own, team, all], roles: {sales_rep: team}, machine: true}"


def parse(entry: str, name: str = "note.read") -> Policy:
    return Policy.parse(f"notes:\n  {name}: {entry}\n")


def test_a_permission_and_its_roles_are_read() -> None:
    policy = parse(GOOD)
    permission = policy.permissions["note.read"]

    assert (permission.service, permission.says, permission.reach) == (
        "notes",
        "See notes",
        ("own", "team", "all"),
    )
    assert (permission.machine, permission.portal, permission.widest) == (True, False, "all")
    assert policy.roles["sales_rep"] == {"note.read": "team"}
    assert policy.roles["admin"] == {"note.read": "all"}
    assert policy.roles["agent"] == {}
    assert policy.machine_scopes == {"note.read"}


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("null", "says, reach and roles are missing"),
        ("{reach: [all], roles: {}}", "'says' must be a sentence"),
        ("{says: x, roles: {}}", "'reach' lists some of"),
        ("{says: x, reach: [], roles: {}}", "'reach' lists some of"),
        (
            "{says: x, reach: [all, own], roles: {}}",
            "'reach' lists some of own, team, territory, all from narrow to wide",
        ),
        ("{says: x, reach: [world], roles: {}}", "'reach' lists some of"),
        ("{says: x, reach: [all], roles: {king: all}}", "king is not a built-in role"),
        ("{says: x, reach: [all], roles: {admin: all}}", "admin is not a built-in role that is given"),
        ("{says: x, reach: [own], roles: {agent: all}}", "agent has reach all, which 'reach' does not list"),
        ("{says: x, reach: [own], roles: {portal_user: own}}", "portal_user needs 'portal: true'"),
        ("{says: x, reach: [own], roles: {}, pii: 1}", "'pii' must be true or false"),
        ("{says: x, reach: [own], roles: {}, colour: red}", "unknown key colour"),
    ],
)
def test_an_entry_that_does_not_hold_together_is_named(entry: str, complaint: str) -> None:
    with pytest.raises(PolicyError, match=rf"note\.read: {complaint}"):
        parse(entry)


@pytest.mark.parametrize("name", ["note", "note.read.all", "Note.read", "note.re-ad"])
def test_a_permission_has_a_noun_and_a_verb(name: str) -> None:
    with pytest.raises(PolicyError, match=r"<noun>\.<verb>"):
        parse(GOOD, name)


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = "one:\n  a.b: {says: '', reach: [all], roles: {}}\ntwo:\n  c.d: null\n  a.b: null\n"
    with pytest.raises(PolicyError) as raised:
        Policy.parse(text)
    assert all(part in str(raised.value) for part in ("a.b: 'says'", "c.d: says"))


def test_the_suites_policy_holds_together() -> None:
    policy = Policy.load()

    assert set(policy.roles) == set(ROLES)
    assert policy.roles["sales_rep"]["opportunity.read"] == "team"
    assert policy.roles["admin"].keys() == policy.permissions.keys()
    assert all(policy.roles[role] for role in ROLES)
    assert Policy.load() is policy
    for role in ("portal_user", "portal_admin", "partner"):
        assert all(policy.permissions[name].portal for name in policy.roles[role])
