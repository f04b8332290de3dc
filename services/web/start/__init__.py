"""The start page: what runs, how the bus is, and the latest demo as it happens."""
