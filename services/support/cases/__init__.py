"""Cases: customers' trouble, from the first word to the proof that it is gone."""
