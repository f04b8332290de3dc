"""Copies of the code with something changed in them, to run the ledger from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.suite import ROOT

__all__ = ["Patch", "changed", "newer", "without_leader"]

_NEEDED = ("shared", "deploy", "tests/faults", "tests/shared", "services/__init__.py", "pyproject.toml")


@dataclass(frozen=True)
class Patch:
    """In `file`, which must hold it exactly once, `old` becomes `new`."""

    file: str
    old: str
    new: str


def changed(target: Path, patches: Sequence[Patch], also: Sequence[str] = ()) -> Path:
    """A copy of the code in `target`, with the folders of `also`, and the patches applied. Raises ValueError for one
    that does not apply."""
    for name in (*_NEEDED, *also):
        source = ROOT / name
        if source.is_dir():
            # With what is compiled already: a file that is patched has another time, and is compiled anew.
            shutil.copytree(source, target / name, dirs_exist_ok=True)
        elif source.exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    for patch in patches:
        file = target / patch.file
        text = file.read_text()
        if text.count(patch.old) != 1:
            raise ValueError(f"the patch of {patch.file} does not apply: {patch.old!r}")
        file.write_text(text.replace(patch.old, patch.new))
    return target


def without_leader(target: Path) -> Path:
    """Every relay believes that it leads."""
    lock = "SELECT pg_try_advisory_lock(hashtextextended('outbox relay', 0))"
    return changed(target, [Patch("shared/messaging/relay.py", lock, "SELECT true")])


def newer(target: Path) -> Path:
    """The next version of the ledger: its facts tell more, and its reader wants to know more where it is told."""
    ledger = "tests/shared/ledger.py"
    return changed(
        target,
        [
            Patch(
                ledger,
                "    previous_erp_customer_id: str | None = None\n",
                "    previous_erp_customer_id: str | None = None\n    credit_limit: str | None = '1000.00'\n",
            ),
            Patch(
                ledger,
                "    erp_customer_id = fields.String(required=True)\n",
                "    erp_customer_id = fields.String(required=True)\n"
                "    credit_limit = fields.String(load_default=None)\n",
            ),
        ],
    )
