"""Feeds: how far the connector has read what changed in the ERP."""
