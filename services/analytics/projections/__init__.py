"""Projections: tables that follow from the archive, how far they have read it, and how they are rebuilt."""
