"""House rules that imports do not show: file names, sizes, unfinished work, and who opens engines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.import_rules import SERVICE_PARTS

CODE_FOLDERS = ("services", "shared", "deploy", "bench", "tests")
TEXT_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".sh", ".html", ".js", ".css"}
NOWHERE_NAMES = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|NotImplemented[E]rror)\b")
MIGRATION = re.compile(r"[0-9]{4}(_[a-z0-9]+){2,}\.py")
MAX_MODULE_LINES = 500
MAX_TEST_LINES = 700
MAX_FUNCTION_LINES = 80


def files(root: Path) -> Iterator[Path]:
    """Every text file that people write, below the code and documentation folders of `root`."""
    for folder in (*CODE_FOLDERS, "docs"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in TEXT_SUFFIXES and "node_modules" not in path.parts and path.is_file():
                yield path


def modules(root: Path) -> Iterator[Path]:
    """Every Python module below the code folders of `root`."""
    return (path for path in files(root) if path.suffix == ".py")


def unfinished(root: Path) -> Iterator[str]:
    """Marks of unfinished work."""
    for path in files(root):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if UNFINISHED.search(line):
                yield f"{path.relative_to(root)}:{number}: {line.strip()}"


def too_long(root: Path) -> Iterator[str]:
    """Modules and functions over their limit; blank lines and comments do not count for modules."""
    for path in modules(root):
        source = path.read_text()
        limit = MAX_TEST_LINES if path.is_relative_to(root / "tests") else MAX_MODULE_LINES
        lines = sum(1 for line in source.splitlines() if line.strip() and not line.strip().startswith("#"))
        if lines >= limit:
            yield f"{path.relative_to(root)}: {lines} lines of code, fewer than {limit} are allowed"
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length >= MAX_FUNCTION_LINES:
                    yield f"{path.relative_to(root)}: {node.name} has {length} lines"


def engine_makers(root: Path) -> Iterator[str]:
    """Modules of services and library that open a database by themselves, other than `shared.db`."""
    for path in modules(root):
        name = path.relative_to(root)
        exempt = name.parts[:2] in {("shared", "db"), ("shared", "testing")}
        if name.parts[0] in {"services", "shared"} and not exempt:
            tree = ast.parse(path.read_text())
            names = {alias for node in ast.walk(tree) for alias in _named(node)}
            makes = names & {"create_engine", "create_async_engine", "engine_from_config"}
            if makes or any(map(_opens, ast.walk(tree))):
                yield str(name)


def _opens(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="psycopg"), attr="connect"):
            return True
        case ast.Attribute(value=ast.Name(id="Connection" | "AsyncConnection"), attr="connect"):
            return True
        case ast.ImportFrom(module="psycopg", names=names):
            return any(alias.name == "connect" for alias in names)
    return False


def _named(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.ImportFrom(names=names):
            yield from (alias.name for alias in names)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            yield name


def slices(root: Path) -> Iterator[Path]:
    """The slice folders of all services."""
    for folder in sorted((root / "services").glob("*/*/")):
        has_code = any(folder.glob("*.py"))
        if has_code and folder.name not in SERVICE_PARTS and folder.parent.name != "__pycache__":
            yield folder


def misnamed(root: Path) -> Iterator[str]:
    """Files in slices whose name says nothing, migrations that do not say what they do."""
    for folder in slices(root):
        for path in sorted(folder.rglob("*.py")):
            if path.stem in NOWHERE_NAMES:
                yield str(path.relative_to(root))
    for path in sorted((root / "services").glob("*/migrations/*.py")):
        if path.name not in {"__init__.py", "env.py"} and not MIGRATION.fullmatch(path.name):
            yield str(path.relative_to(root))


def unexplained(root: Path) -> Iterator[str]:
    """Slices whose `__init__.py` does not say what they are."""
    for folder in slices(root):
        start = folder / "__init__.py"
        if not start.exists() or not ast.get_docstring(ast.parse(start.read_text())):
            yield str(folder.relative_to(root))
