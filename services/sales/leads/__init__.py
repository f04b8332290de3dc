"""Leads that marketing has handed over, until somebody here accepts or returns them."""
