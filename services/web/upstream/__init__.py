"""The other services, as web asks them."""
