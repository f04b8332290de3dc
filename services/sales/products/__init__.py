"""Products and the standard price book."""
