"""Every import rule is shown to go red: a small tree that keeps them all, and violations planted in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TREE = {
    "shared/kernel/errors.py": "",
    "shared/db/base.py": "import sqlalchemy",
    "shared/messaging/kafka.py": "import kafka",
    "shared/web/app.py": "import flask",
    "services/support/wiring.py": "",
    "services/support/cases/model.py": "import shared.db.base",
    "services/sales/app.py": "import services.sales.orders.routes\nimport services.sales.quotes.routes",
    "services/sales/wiring.py": "import services.sales.app\nimport services.sales.orders.consumers",
    "services/sales/database.py": "import shared.db.base",
    "services/sales/rounding.py": "import decimal",
    "services/sales/processes/order_handoff.py": (
        "import services.sales.orders.use_cases\nimport services.sales.quotes.use_cases"
    ),
    "services/sales/orders/routes.py": (
        "import flask\nimport services.sales.processes.order_handoff\nimport services.sales.orders.schemas\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import services.sales.orders.model"
    ),
    "services/sales/orders/consumers.py": "import shared.messaging.kafka",
    "services/sales/orders/schemas.py": "import marshmallow\nimport services.sales.orders.queries",
    "services/sales/orders/use_cases.py": (
        "import services.sales.orders.repository\nimport services.sales.orders.allocation"
    ),
    "services/sales/orders/queries.py": "import services.sales.orders.model",
    "services/sales/orders/allocation.py": "import services.sales.rounding",
    "services/sales/orders/repository.py": "import services.sales.orders.model",
    "services/sales/orders/model.py": (
        "import services.sales.database\nimport services.sales.orders.events\n"
        "import services.sales.orders.errors\nimport services.sales.orders.allocation"
    ),
    "services/sales/orders/events.py": "import services.sales.orders.errors",
    "services/sales/orders/errors.py": "import shared.kernel.errors",
    "services/sales/quotes/routes.py": "import services.sales.quotes.use_cases",
    "services/sales/quotes/use_cases.py": "import services.sales.quotes.model",
    "services/sales/quotes/model.py": "",
}

SERVICES = "Services are independent of each other"
LIBRARY = "The library knows no service"
LAYERS = "A slice is layered"
SIBLINGS = "Slices meet only in processes"
PURE = "Models, facts, errors and algorithms know no web, no bus and no network"
KAFKA = "Only the messaging library touches Kafka"
ROUTES = "Routes do not touch repositories or models"
RULES = [SERVICES, LIBRARY, LAYERS, SIBLINGS, PURE, KAFKA, ROUTES]

S = "services.sales"
# What each rule forbids: importer, imported.
PLANTED = {
    SERVICES: [
        (f"{S}.processes.order_handoff", "services.support.cases.model"),
        (f"{S}.wiring", "services.support.wiring"),
    ],
    LIBRARY: [
        ("shared.kernel.errors", "services.support.wiring"),
    ],
    LAYERS: [
        (f"{S}.orders.schemas", f"{S}.orders.routes"),
        (f"{S}.orders.use_cases", f"{S}.orders.queries"),
        (f"{S}.orders.queries", f"{S}.orders.use_cases"),
        (f"{S}.orders.repository", f"{S}.orders.use_cases"),
        (f"{S}.orders.model", f"{S}.orders.repository"),
        (f"{S}.orders.events", f"{S}.orders.model"),
        (f"{S}.orders.errors", f"{S}.orders.events"),
        (f"{S}.orders.consumers", f"{S}.orders.routes"),
    ],
    SIBLINGS: [
        (f"{S}.orders.use_cases", f"{S}.quotes.use_cases"),
        (f"{S}.orders.schemas", f"{S}.quotes.model"),
        (f"{S}.quotes.use_cases", f"{S}.processes.order_handoff"),
        (f"{S}.rounding", f"{S}.quotes.model"),
    ],
    PURE: [
        (f"{S}.orders.model", "flask"),
        (f"{S}.orders.model", "shared.web.app"),
        (f"{S}.orders.events", "marshmallow"),
        (f"{S}.orders.errors", "httpx"),
        (f"{S}.orders.errors", "shared.messaging.kafka"),
        (f"{S}.orders.allocation", "sqlalchemy"),
        (f"{S}.orders.allocation", "shared.db.base"),
        (f"{S}.rounding", "requests"),
    ],
    KAFKA: [
        (f"{S}.orders.consumers", "kafka"),
        ("shared.web.app", "kafka.admin"),
    ],
    ROUTES: [
        (f"{S}.quotes.routes", f"{S}.quotes.model"),
        (f"{S}.orders.routes", f"{S}.orders.repository"),
    ],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small suite that keeps every rule, with the real configuration."""
    for name, imports in TREE.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(imports + "\n")
    for package in {folder for name in TREE for folder in Path(name).parents if folder != Path()}:
        (tmp_path / package / "__init__.py").touch()
    shutil.copy(ROOT / ".importlinter", tmp_path)
    rules = tmp_path / "tests" / "architecture"
    rules.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "architecture" / "import_rules.py", rules)
    return tmp_path


def plant(tree: Path, importer: str, imported: str) -> None:
    """Make the module `importer` import `imported`."""
    with (tree / (importer.replace(".", "/") + ".py")).open("a") as file:
        file.write(f"import {imported}\n")


def verdicts(folder: Path) -> tuple[dict[str, str], str]:
    """What lint-imports says of each rule in `folder`, and all its output."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    wide = {**os.environ, "COLUMNS": "300"}
    done = subprocess.run(command, cwd=folder, env=wide, capture_output=True, text=True, check=False)
    lines = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    said = {line[0]: line[1] for line in lines if line[-1] in {"KEPT", "BROKEN"} and len(line) == 2}
    assert (done.returncode == 0) == ("BROKEN" not in said.values()), done.stdout + done.stderr
    return said, done.stdout + done.stderr


def test_the_suite_keeps_every_rule() -> None:
    said, output = verdicts(ROOT)
    assert said == dict.fromkeys(RULES, "KEPT"), output


def test_a_tree_without_violations_is_green(tree: Path) -> None:
    said, output = verdicts(tree)
    assert said == dict.fromkeys(RULES, "KEPT"), output


@pytest.mark.parametrize(("rule", "planted"), PLANTED.items())
def test_planted_imports_turn_their_rule_red(tree: Path, rule: str, planted: list[tuple[str, str]]) -> None:
    for importer, imported in planted:
        plant(tree, importer, imported)
    said, output = verdicts(tree)
    assert said[rule] == "BROKEN", output
    explained = output.partition("Broken contracts")[2].split(f"{rule}\n")[1]
    for importer, imported in planted:
        known_as = "kafka" if imported.startswith("kafka.") else imported
        assert f"{importer} -> {known_as}" in explained, output


def test_every_rule_has_a_planted_violation() -> None:
    assert set(PLANTED) == set(RULES)


def test_an_algorithm_is_impure_through_another_one(tree: Path) -> None:
    plant(tree, f"{S}.rounding", "smtplib")
    said, output = verdicts(tree)
    assert said[PURE] == "BROKEN"
    assert f"{S}.orders.allocation -> smtplib (through {S}.rounding)" in output
    assert f"{S}.orders.model -> smtplib (through {S}.rounding)" in output


def test_a_new_slice_is_under_the_rules_at_once(tree: Path) -> None:
    slice_folder = tree / "services" / "support" / "assets"
    slice_folder.mkdir()
    (slice_folder / "__init__.py").touch()
    (slice_folder / "model.py").write_text("import services.support.assets.use_cases\nimport flask\n")
    (slice_folder / "use_cases.py").write_text("import services.support.cases.model\n")
    said, output = verdicts(tree)
    assert {rule for rule, verdict in said.items() if verdict == "BROKEN"} == {LAYERS, SIBLINGS, PURE}, output
