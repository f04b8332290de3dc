"""The OpenAPI document is true of the records that there are after a day of work."""

from __future__ import annotations

import schemathesis

from shared.testing.conformance import CHECKS
from tests.marketing.conftest import Marketing


def test_what_is_read_matches_its_schema(marketing: Marketing) -> None:
    lead, double = marketing.hot(), marketing.lead(email="i.brandt@elsewhere.example")
    held = marketing.lead(email="joe@yopmail.com", phone=None, given_name="asdfgh")
    merged = marketing.lead(email="otto@kern.example", phone=None)
    marketing.act(double, "merge", {"lead_id": merged["id"]})
    form = marketing.form()
    [model] = marketing.get("/v1/scoring-models")["items"]
    schema = schemathesis.openapi.from_wsgi("/openapi.json", marketing.service.app)
    reads = [
        ("/v1/leads", {}),
        ("/v1/forms", {}),
        ("/v1/scoring-models", {}),
        ("/v1/forms/{form_id}", {"form_id": form["id"]}),
        ("/public/v1/forms/{form_id}", {"form_id": form["id"]}),
        ("/v1/scoring-models/{model_id}", {"model_id": model["id"]}),
        ("/v1/leads/{lead_id}/duplicates", {"lead_id": lead["id"]}),
        *(("/v1/leads/{lead_id}", {"lead_id": each["id"]}) for each in (lead, double, held, merged)),
    ]
    for path, ids in reads:
        case = schema[path]["GET"].Case(path_parameters=ids)
        case.call_and_validate(headers=marketing.marketer, checks=CHECKS)
