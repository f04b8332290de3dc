"""Checks the installation on Kubernetes: `python -m deploy.k8s.check`.

kubectl builds every overlay; each resource is held against the schema of its kind, Kubernetes' own or the one kept here
for an operator's; and the rules of this folder see that what is named in one place is there in the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.k8s import fields, generated, topics
from deploy.k8s.manifests import BuildFailed, Installation
from deploy.k8s.rules import RULES


def problems(root: Path = topics.HERE) -> Iterator[str]:
    """Everything that is wrong in the tree at `root`."""
    yield from generated.drift(root)
    for overlay in topics.OVERLAYS:
        try:
            installation = Installation.build(root / "overlays" / overlay)
        except BuildFailed as error:
            yield str(error)
            continue
        for rule in (fields.fit, *RULES):
            yield from (f"{overlay}: {problem}" for problem in rule(installation))


def main() -> int:
    """0, or 1 with a line for each problem."""
    wrong = list(problems())
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    if not wrong:
        sys.stdout.write(
            f"{' and '.join(topics.OVERLAYS)} fit Kubernetes {fields.VERSION}, settings and contracts\n"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
