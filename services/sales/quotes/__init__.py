"""Quotes: priced offers that are approved, sent, and accepted by the customer through a signed link."""
