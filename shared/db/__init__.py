"""The only place that opens engines: sessions, declarative base, unit of work, listings, migrations."""
