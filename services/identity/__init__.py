"""Identity: who is asking, and what may they do.

Owns users, teams, roles, API clients, signing keys, the company's settings and its exchange rates.
"""
