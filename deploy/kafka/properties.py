"""The configuration of one broker, from the files of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

__all__ = ["PLAIN", "SECURED", "render"]

_HERE = Path(__file__).parent
PLAIN = (_HERE / "server.properties",)
"""A broker for development, on loopback, open to everybody."""
SECURED = (*PLAIN, _HERE / "secured.properties")
"""A broker that asks who is there and allows what was granted. Of a name given twice Kafka takes the later value."""


def render(sources: tuple[Path, ...], variables: Mapping[str, str]) -> str:
    """The text of `server.properties`. Raises KeyError for a name in braces that `variables` lacks."""
    return "\n".join(Template(source.read_text()).substitute(variables) for source in sources)
