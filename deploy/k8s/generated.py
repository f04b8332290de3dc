"""The manifests that follow from what is declared elsewhere: `python -m deploy.k8s.generated` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.k8s import alerts, topics
from deploy.k8s.topics import HERE

__all__ = ["documents", "drift"]


def documents(root: Path = HERE) -> Mapping[Path, str]:
    """The text of every file that is made, by its path below `root`."""
    return {**topics.documents(root), root / "base" / "alerts.yaml": alerts.document()}


def drift(root: Path = HERE) -> Iterator[str]:
    """Files that are not what the declarations say."""
    for path, text in documents(root).items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(root)} has drifted: run `make contracts` and commit"


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text)
