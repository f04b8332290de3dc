"""Technicians: who goes to customers, with which skills."""
