"""Field service: the right person with the right part at the right door.

Owns work orders, the appointments that carry them out, and the technicians who go there.
"""
