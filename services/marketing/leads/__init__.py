"""Leads: people who showed interest, from the first sign of it until sales takes them over."""
