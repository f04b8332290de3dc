"""Opportunities: deals on their way from first contact to won or lost."""
