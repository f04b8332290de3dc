"""The local copy of the company's settings that every service keeps: base currency, zone and exchange rates."""

from shared.company.queries import Company, NoRate, company, in_base_currency

__all__ = ["Company", "NoRate", "company", "in_base_currency"]
