"""Assets: what customers own of ours, and how long it is under warranty."""
