"""The only place that opens engines: sessions, the declarative base, the unit of work, listings, migrations."""
