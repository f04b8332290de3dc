"""Import rules that import-linter has no contract type for. `.importlinter` names them.

A service is `services.<name>`; its slices are the folders below it that are not service-level parts. A module
with none of the fixed names is an algorithm: pure domain code named for the thing it computes.
"""

from __future__ import annotations

from collections.abc import Iterator

import grimp
from importlinter import Contract, ContractCheck, output

SERVICE_PARTS = {
    *(
        "__main__",
        "app",
        "command_line",
        "database",
        "migrations",
        "processes",
        "settings",
        "upstream",
        "wiring",
    ),
}
SEE_ALL = {"__main__", "app", "command_line", "migrations", "processes", "wiring"}
SLICE_MODULES = {
    *("routes", "consumers", "views", "schemas", "forms", "use_cases", "queries", "repository"),
    *("model", "events", "errors"),
}
PURE_SLICE_MODULES = {"model", "events", "errors"}

# What only the outer layers may know: web frameworks, brokers, network clients, and our own wrappers of them.
OUTSIDE = {
    *("apispec", "flask", "flask_smorest", "marshmallow", "webargs", "werkzeug"),
    *("aiohttp", "http", "httpx", "imaplib", "kafka", "requests", "smtplib", "socket", "urllib3"),
    *("shared.messaging", "shared.web"),
}
# What an algorithm may not know either.
STORAGE = {"alembic", "psycopg", "shared.db", "sqlalchemy"}


def service_of(module: str) -> str | None:
    """`services.sales` for whatever lies in it, None elsewhere."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "services" and len(parts) > 1 else None


def part_of(module: str) -> str | None:
    """The name after the service: a slice, or a service-level part such as `wiring`."""
    parts = module.split(".")
    return parts[2] if service_of(module) and len(parts) > 2 else None


def slice_of(module: str, graph: grimp.ImportGraph) -> str | None:
    """`services.sales.orders` for whatever lies in that slice, None elsewhere."""
    part = part_of(module)
    if part is None or part in SERVICE_PARTS:
        return None
    package = f"{service_of(module)}.{part}"
    children = {child.rpartition(".")[2] for child in graph.find_children(package)}
    return package if children & SLICE_MODULES else None


class SiblingsContract(Contract):
    """Slices of a service do not import each other; only its processes, app, command line and wiring see several.

    Processes lie above the use cases: routes, consumers, app and wiring may call them, lower layers may not.
    """

    type_name = "siblings"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        """Look at every direct import inside a service."""
        found = sorted(_sibling_violations(graph))
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is against the rule."""
        _render(check)


class PureContract(Contract):
    """`model`, `events`, `errors` and algorithms import nothing of web, bus and network, algorithms no
    storage either; not directly, and not through another module of their service."""

    type_name = "pure"

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        """Follow the imports of every pure module within its service."""
        found = sorted(violation for module in graph.modules for violation in _impurities(module, graph))
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is against the rule."""
        _render(check)


def _sibling_violations(graph: grimp.ImportGraph) -> Iterator[str]:
    for importer in graph.modules:
        service = service_of(importer)
        if service is None or part_of(importer) in SEE_ALL:
            continue
        own = slice_of(importer, graph)
        for imported in graph.find_modules_directly_imported_by(importer):
            if service_of(imported) != service:
                continue
            other = slice_of(imported, graph)
            foreign = other is not None and other != own
            upward = part_of(imported) == "processes" and not _may_call_processes(importer, own)
            if foreign or upward:
                yield f"{importer} -> {imported}"


def _may_call_processes(importer: str, own_slice: str | None) -> bool:
    return own_slice is not None and _role(importer, own_slice) in {"routes", "consumers", "views"}


def _role(module: str, own_slice: str) -> str:
    return module.removeprefix(f"{own_slice}.").split(".")[0]


def _impurities(module: str, graph: grimp.ImportGraph) -> Iterator[str]:
    forbidden = _forbidden_to(module, graph)
    seen, waiting = {module}, [module]
    while forbidden and waiting:
        importer = waiting.pop()
        for imported in graph.find_modules_directly_imported_by(importer):
            if any(imported == name or imported.startswith(f"{name}.") for name in forbidden):
                through = "" if importer == module else f" (through {importer})"
                yield f"{module} -> {imported}{through}"
            elif imported not in seen and service_of(imported) == service_of(module):
                seen.add(imported)
                waiting.append(imported)


def _forbidden_to(module: str, graph: grimp.ImportGraph) -> set[str]:
    """What a module may not import: empty unless it is pure."""
    if service_of(module) is None or part_of(module) is None or part_of(module) in SERVICE_PARTS:
        return set()
    own_slice = slice_of(module, graph)
    if own_slice is None:
        return OUTSIDE | STORAGE
    role = _role(module, own_slice)
    if module == own_slice or role in SLICE_MODULES - PURE_SLICE_MODULES:
        return set()
    return OUTSIDE if role in PURE_SLICE_MODULES else OUTSIDE | STORAGE


def _render(check: ContractCheck) -> None:
    for violation in check.metadata["found"]:
        output.print_error(f"- {violation}", bold=False)
    output.new_line()
