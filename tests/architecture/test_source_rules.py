"""The house rules hold in this tree, and each is shown to go red on a planted violation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import source_rules

ROOT = Path(__file__).resolve().parents[2]
MARK = "TO" + "DO"
MISSING = "NotImplemented" + "Error"

Rule = Callable[[Path], Iterator[str]]


@pytest.mark.parametrize(
    "rule",
    [
        source_rules.unfinished,
        source_rules.too_long,
        source_rules.engine_makers,
        source_rules.misnamed,
        source_rules.unexplained,
    ],
)
def test_the_suite_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(ROOT)) == []


def planted(root: Path, name: str, content: str) -> Path:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("services/sales/app.py", f"x = 1  # {MARK}: finish\n"),
        ("services/sales/app.py", f"raise {MISSING}\n"),
        ("docs/guides/run.md", f"{MARK} write this\n"),
        ("shared/contracts/topics/a.yaml", f"# {MARK}\n"),
    ],
)
def test_unfinished_work_is_found(tmp_path: Path, name: str, content: str) -> None:
    planted(tmp_path, name, content)
    assert list(source_rules.unfinished(tmp_path)) == [f"{name}:1: {content.strip()}"]


def test_a_word_that_contains_a_mark_is_no_mark(tmp_path: Path) -> None:
    planted(tmp_path, "shared/a.py", f"{MARK}S = 1\nx = {MISSING}Handler\n")
    assert list(source_rules.unfinished(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "lines", "verdict"),
    [
        ("shared/a.py", 499, []),
        ("shared/a.py", 500, ["shared/a.py: 500 lines of code, fewer than 500 are allowed"]),
        ("tests/a.py", 699, []),
        ("tests/a.py", 700, ["tests/a.py: 700 lines of code, fewer than 700 are allowed"]),
    ],
)
def test_a_long_module_is_found(tmp_path: Path, name: str, lines: int, verdict: list[str]) -> None:
    planted(tmp_path, name, "# a comment\n\n" + "x = 1\n" * lines)
    assert list(source_rules.too_long(tmp_path)) == verdict


@pytest.mark.parametrize(("lines", "verdict"), [(79, []), (80, ["shared/a.py: act has 80 lines"])])
def test_a_long_function_is_found(tmp_path: Path, lines: int, verdict: list[str]) -> None:
    planted(tmp_path, "shared/a.py", "def act():\n" + "    x = 1\n" * (lines - 1))
    assert list(source_rules.too_long(tmp_path)) == verdict


@pytest.mark.parametrize(
    "content",
    [
        "from sqlalchemy import (\n    select,\n    create_engine,\n)\n",
        "import sqlalchemy as sa\nengine = sa.create_engine('x')\n",
        "from sqlalchemy.ext.asyncio import create_async_engine as make\n",
        "import psycopg\nconnection = psycopg.connect('x')\n",
        "from psycopg import connect\n",
        "from psycopg import Connection\nconnection = Connection.connect('x')\n",
    ],
)
def test_an_engine_made_outside_the_database_library_is_found(tmp_path: Path, content: str) -> None:
    planted(tmp_path, "shared/db/engine.py", content)
    planted(tmp_path, "deploy/local/databases.py", content)
    assert list(source_rules.engine_makers(tmp_path)) == []
    planted(tmp_path, "services/sales/orders/queries.py", content)
    assert list(source_rules.engine_makers(tmp_path)) == ["services/sales/orders/queries.py"]


def test_files_with_names_that_say_nothing_are_found(tmp_path: Path) -> None:
    for name in (
        "services/sales/orders/helpers.py",
        "services/sales/orders/allocation.py",
        "services/sales/orders/use_cases/utils.py",
        "services/sales/migrations/0001_create_orders.py",
        "services/sales/migrations/0002.py",
        "services/sales/migrations/env.py",
    ):
        planted(tmp_path, name, "")
    assert list(source_rules.misnamed(tmp_path)) == [
        "services/sales/orders/helpers.py",
        "services/sales/orders/use_cases/utils.py",
        "services/sales/migrations/0002.py",
    ]


def test_a_slice_that_does_not_say_what_it_is_is_found(tmp_path: Path) -> None:
    planted(tmp_path, "services/sales/orders/__init__.py", '"""Orders handed to the ERP."""\n')
    planted(tmp_path, "services/sales/quotes/__init__.py", "")
    planted(tmp_path, "services/sales/leads/model.py", "")
    planted(tmp_path, "services/sales/processes/order_handoff.py", "")
    assert list(source_rules.unexplained(tmp_path)) == ["services/sales/leads", "services/sales/quotes"]
