"""Measurements of the running suite, each beside a raw baseline where there is one. `python -m bench --help`."""
