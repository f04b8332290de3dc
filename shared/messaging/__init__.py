"""The bus: from a committed fact to its effect, exactly once.

A fact is written to the outbox with the change that made it; the relay carries it to the broker in order; ingest
stores it in the subscriber's inbox; workers apply it, one head of each key at a time, in one transaction with its
effects. Slice authors write handlers and never see any of this.
"""
