"""Accounts: the companies we sell to, their place in a hierarchy and their addresses."""
