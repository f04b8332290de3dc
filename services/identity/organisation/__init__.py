"""The organisation: the one company of this installation and what all services need to know of it."""
