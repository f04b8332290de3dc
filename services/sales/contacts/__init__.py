"""Contacts: the people at accounts, how to reach them, and whether they may be called."""
