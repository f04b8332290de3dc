"""The configuration of one broker, from the files of this folder."""

from __future__ import annotations

import base64
import itertools
import uuid
from collections.abc import Mapping
from pathlib import Path
from string import Template

__all__ = ["PLAIN", "SECURED", "new_cluster_id", "render"]

_HERE = Path(__file__).parent
PLAIN = (_HERE / "server.properties",)
"""A broker for development, on loopback, open to everybody."""
SECURED = (*PLAIN, _HERE / "secured.properties")
"""A broker that asks who is there and allows what was granted. Of a name given twice Kafka takes the later value."""


def render(sources: tuple[Path, ...], variables: Mapping[str, str]) -> str:
    """The text of `server.properties`. Raises KeyError for a name in braces that `variables` lacks."""
    return "\n".join(Template(source.read_text()).substitute(variables) for source in sources)


def new_cluster_id() -> str:
    """A UUID in base64url, 22 characters. Kafka's tool would take one that starts with a dash for an option."""
    candidates = (base64.urlsafe_b64encode(uuid.uuid4().bytes).decode() for _ in itertools.count())
    return next(text for text in candidates if not text.startswith("-")).rstrip("=")
