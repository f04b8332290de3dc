"""Settings of web beside those of every service: where the others are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import fields, validate

from shared.observability.lookout import Address
from shared.settings import Settings, variable

__all__ = ["WebSettings"]

_SERVICES = ("identity", "sales", "marketing", "support", "fieldservice", "analytics", "erp")


def _url(of: str, port: int) -> Any:
    return variable(fields.String(), f"Base URL of {of}", default=f"http://127.0.0.1:{port}")


@dataclass(frozen=True)
class WebSettings(Settings):
    """A page that looks again every two seconds is no flood, so browsers may ask more often here than elsewhere."""

    sales_url: str = _url("the API of sales", 8102)
    marketing_url: str = _url("the API of marketing", 8103)
    support_url: str = _url("the API of support", 8104)
    fieldservice_url: str = _url("the API of fieldservice", 8105)
    analytics_url: str = _url("the API of analytics", 8106)
    erp_url: str = _url("the API of erp", 8107)
    identity_bus_url: str = _url("the bus process of identity", 8201)
    sales_bus_url: str = _url("the bus process of sales", 8202)
    marketing_bus_url: str = _url("the bus process of marketing", 8203)
    support_bus_url: str = _url("the bus process of support", 8204)
    fieldservice_bus_url: str = _url("the bus process of fieldservice", 8205)
    analytics_bus_url: str = _url("the bus process of analytics", 8206)
    erp_bus_url: str = _url("the bus process of erp", 8207)
    api_links: str | None = variable(
        fields.String(validate=validate.Regexp(r"(https?://|/).*\{service\}")),
        "Where browsers find the APIs, such as /api/{service} behind a gateway; else where this process does",
        default=None,
    )
    demo_file: str | None = variable(
        fields.String(),
        "Where the local demo keeps its story; without one the page shows no demo",
        default=None,
    )
    public_rate_limit: str = variable(
        fields.String(), "Requests an address may make at open doors", default="1200/minute"
    )

    def link(self, address: Address) -> str:
        """Where a browser finds the API of the service at `address`."""
        return self.api_links.replace("{service}", address.service) if self.api_links else address.api

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the other services are, in the order in which they are shown."""
        return tuple(
            Address(name, getattr(self, f"{name}_url"), getattr(self, f"{name}_bus_url"))
            for name in _SERVICES
        )
