"""Pipelines: each company's own phases of a sale, as data. A published version never changes."""
