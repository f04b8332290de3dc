"""Audit: who did what in identity, and whether the log is whole. The library writes and seals the entries."""
