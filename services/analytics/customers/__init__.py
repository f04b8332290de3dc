"""Customers: accounts, and leads that belong to none yet, with what happened around them."""
