"""Databases and roles, and the configuration of a PostgreSQL server in a container."""
