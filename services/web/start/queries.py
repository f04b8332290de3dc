"""Read the story of the latest demo run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["latest_demo"]


def latest_demo(path: Path | None) -> dict[str, Any] | None:
    """What the demo wrote about its latest run; None where there was none, or its file cannot be read."""
    if path is None:
        return None
    try:
        story = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return story if isinstance(story, dict) else None
