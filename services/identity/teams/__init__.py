"""Teams: who works together, who leads them, and which team is part of which."""
