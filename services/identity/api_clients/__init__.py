"""API clients: other software that connects without a person."""
