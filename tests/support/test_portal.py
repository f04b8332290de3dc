"""What customers see of their contracts, assets and cases."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from shared.testing.services import RunningService
from shared.testing.tokens import customer_bearer
from tests.support.test_cases import act, opened

ACCOUNT = "018f3b1e-0000-7000-8000-000000000104"


def customer() -> dict[str, str]:
    """Headers of a person of the account. Made when they are needed: a token ends after ten minutes."""
    return customer_bearer(ACCOUNT, "contract.read", "asset.read", "case.read", "case.create")


def shown(support: RunningService, path: str) -> set[str]:
    """The fields of the one record behind `path`, in the list and alone; a stranger sees none."""
    (row,) = support.client.get(path, headers=customer()).json["items"]
    stranger = customer_bearer(uuid.uuid4(), "contract.read", "asset.read", "case.read")
    assert support.client.get(path, headers=stranger).json["items"] == []
    answer = support.client.get(f"{path}/{row['id']}", headers=customer())
    assert set(row) < set(answer.json)
    return set(answer.json)


def test_customers_see_what_they_bought_and_no_notes_of_the_staff(
    support: RunningService, staff: dict[str, str], tell: Callable[..., uuid.UUID]
) -> None:
    for name in ("opportunity.won", "order.acknowledged", "order.shipped"):
        tell(name)
    assert shown(support, "/v1/contracts") == {
        "id", "version", "number", "state", "account_id", "contact_id", "order_id", "starts_on", "ends_on",
        "term_months", "created_at", "updated_at", "time_zone", "auto_renew", "notice_days", "lines",
    }  # fmt: skip
    (row, *_) = support.client.get("/v1/assets", headers=customer()).json["items"]
    asset = support.client.get(f"/v1/assets/{row['id']}", headers=customer()).json
    assert set(asset) == {
        "id", "version", "product_id", "sku", "name", "serial", "status", "account_id", "contact_id",
        "order_id", "shipped_on", "warranty_starts_on", "warranty_ends_on", "created_at", "updated_at",
        "order_line_id", "contract_id", "warranty_months",
    }  # fmt: skip
    cover = support.client.get(f"/v1/assets/{row['id']}/coverage", headers=customer()).json
    assert set(cover) == {"basis", "parts", "labour", "travel", "reason", "contract_id"}
    (contract,) = support.client.get("/v1/contracts", headers=staff).json["items"]
    entitlements = support.client.get(f"/v1/contracts/{contract['id']}/entitlements", headers=customer())
    assert entitlements.status_code == 200
    assert all(set(each) == {"id", "kind", "balance"} for each in entitlements.json)


def test_customers_see_the_answer_to_their_case_and_not_who_wrote_what_about_it(
    support: RunningService, staff: dict[str, str]
) -> None:
    case = opened(support, customer(), owner_id=str(uuid.uuid4()))
    resolved = act(support, staff, case, "resolve", outcome="misuse", answer="Press reset")
    assert act(support, staff, resolved, "reopen", note="They lied about it").status_code == 200
    assert shown(support, "/v1/cases") == set(case.json) == {
        "id", "version", "number", "kind", "subject", "channel", "state", "priority", "account_id",
        "contact_id", "asset_id", "opened_at", "resolved_at", "created_at", "updated_at", "description",
        "product_id", "contract_id", "order_id", "cover", "responded_at", "answer",
    }  # fmt: skip
    kept = support.client.get(f"/v1/cases/{case.json['id']}", headers=staff).json
    assert kept["owner_id"] is None
    assert "They lied about it" in str(kept["log"])


def test_customers_cannot_ask_by_what_they_do_not_see(support: RunningService) -> None:
    for path in ("contracts?opportunity_id=", "cases?owner_id="):
        answer = support.client.get(f"/v1/{path}{uuid.uuid4()}", headers=customer())
        assert answer.status_code == 422
