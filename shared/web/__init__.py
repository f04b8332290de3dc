"""The web side of every service: routes with permissions, errors as problem documents, and all that cuts
across.

A slice's `routes.py` needs what is exported here; the other modules are the machinery behind it.
"""

from shared.web import fields, links
from shared.web.app import create_app
from shared.web.blueprint import PUBLIC, Blueprint, UndeclaredRoute
from shared.web.context import principal, session, unit_of_work
from shared.web.schema import OpenSchema, Schema

__all__ = [
    "PUBLIC",
    "Blueprint",
    "OpenSchema",
    "Schema",
    "UndeclaredRoute",
    "create_app",
    "fields",
    "links",
    "principal",
    "session",
    "unit_of_work",
]
