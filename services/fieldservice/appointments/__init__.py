"""Appointments: who comes when, and what became of the visit."""
