"""Stored mappings from other systems' files to the suite's fields, and the algorithm that applies them."""
