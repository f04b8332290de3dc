"""The next version of the suite, made from this one: what a release usually changes, in small.

Every answer names its version. A won deal says by which `channel` it was won: a column in sales, an optional field in
the fact, and a column in support, where the contract keeps what it was told.
"""

from __future__ import annotations

from pathlib import Path

from tests.faults.trees import Patch, changed

__all__ = ["NEXT", "UNTOLD", "VERSION_HEADER", "next_version"]

VERSION_HEADER = "X-Version"
NEXT = "next"
UNTOLD = "untold"
"""What a contract of the next version keeps where the fact does not tell the channel."""

_SALES = "services/sales/opportunities"
_SUPPORT = "services/support/contracts"
_PATCHES = (
    Patch(
        "shared/web/app.py",
        "_SECURITY_HEADERS = [\n",
        f'_SECURITY_HEADERS = [\n    ("{VERSION_HEADER}", "{NEXT}"),\n',
    ),
    Patch(
        f"{_SALES}/model.py",
        "    closed_at: Mapped[datetime | None]\n",
        "    closed_at: Mapped[datetime | None]\n    channel: Mapped[str | None]\n",
    ),
    Patch(
        f"{_SALES}/model.py",
        "        self.amount, self.base_amount = amount, base_amount\n",
        "        self.amount, self.base_amount = amount, base_amount\n"
        '        self.channel = "quote" if quote_id else "direct"\n',
    ),
    Patch(
        f"{_SALES}/model.py",
        "                won_at=moment.effective_at,\n",
        "                won_at=moment.effective_at,\n                channel=self.channel,\n",
    ),
    Patch(
        f"{_SALES}/events.py",
        "    won_at: datetime\n",
        "    won_at: datetime\n    channel: str | None = None\n",
    ),
    Patch(
        "shared/contracts/schemas/sales/opportunity.won.v1.json",
        '    "won_at": {\n',
        '    "channel": {"type": "string", "description": "By which way it was won."},\n    "won_at": {\n',
    ),
    Patch(
        f"{_SUPPORT}/model.py",
        "    cancel_reason: Mapped[str | None]\n",
        "    cancel_reason: Mapped[str | None]\n    channel: Mapped[str | None]\n",
    ),
    Patch(
        f"{_SUPPORT}/schemas.py",
        "    term_months = fields.Integer(required=True, allow_none=True)\n    lines = fields.List",
        "    term_months = fields.Integer(required=True, allow_none=True)\n"
        f'    channel = fields.String(load_default="{UNTOLD}")\n    lines = fields.List',
    ),
    Patch(
        f"{_SUPPORT}/use_cases.py",
        '                "owner_id": deal["owner_id"],\n',
        '                "owner_id": deal["owner_id"],\n                "channel": deal["channel"],\n',
    ),
)
_MIGRATION = '''"""Add {table}.channel."""

from alembic import op

revision = "{number:04}"
down_revision = "{before:04}"


def upgrade() -> None:
    op.execute("ALTER TABLE {table} ADD COLUMN channel text")


def downgrade() -> None:
    op.execute("ALTER TABLE {table} DROP COLUMN channel")
'''


def next_version(target: Path) -> Path:
    """A copy of the suite in `target`, one version ahead. Raises ValueError where the code has gone another way."""
    tree = changed(target, _PATCHES, also=["services"])
    for service, table in (("sales", "opportunities"), ("support", "contracts")):
        folder = tree / "services" / service / "migrations"
        before = max(int(file.name[:4]) for file in folder.glob("[0-9]*.py"))
        text = _MIGRATION.format(table=table, number=before + 1, before=before)
        (folder / f"{before + 1:04}_add_channel.py").write_text(text)
    return tree
