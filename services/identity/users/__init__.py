"""Users: the staff, where each stands in the company, and whether he may log in."""
