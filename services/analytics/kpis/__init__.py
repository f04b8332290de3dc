"""Key figures: each has one definition and one way of being computed, whoever asks."""
