"""Users: the staff, where each stands in the company, and whether they may log in."""
