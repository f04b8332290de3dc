"""Who sees what, decided by each service from the token and its own copy of people and teams."""

from shared.access.principal import Principal, Reach
from shared.access.reach import reach_filter

__all__ = ["Principal", "Reach", "reach_filter"]
