"""Open events: the facts that other companies' systems may read, over HTTP, as they were published.

The inbox holds them already, byte for byte: the connector reads the topics concerned, its own ones too.
"""
