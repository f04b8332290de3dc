"""Every setting of every service, as the services declare them; `python -m deploy.settings_reference` writes the table
docs/settings.md and .env.example from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from shared.settings import Settings, from_file, name_of

__all__ = ["ROOT", "Setting", "drift", "services", "settings_of"]

ROOT = Path(__file__).parents[1]
EVERY = "every service"

COMPOSE: Mapping[str, tuple[str, str]] = {
    "CRM_DOMAIN": ("localhost", "Name of the suite in browsers; the gateway's certificate is made for it"),
    "CRM_LISTEN": ("127.0.0.1", "Address of this machine at which the gateway listens; 0.0.0.0 for all"),
    "CRM_HTTPS_PORT": ("8443", "Port of the gateway"),
    "CRM_HTTP_PORT": ("8080", "Port that leads browsers to the other"),
    "CRM_MAIL_PORT": ("8025", "Port of the mail catcher's page, on this machine only"),
    "CRM_GRAFANA_PORT": ("3000", "Port of Grafana, on this machine only"),
    "CRM_REGISTRY": ("crm-suite", "Where the images come from, or what they are called when built here"),
    "CRM_VERSION": ("0.1.0", "Version of the images"),
}
"""What docker-compose.yml itself is told, with its default."""


@dataclass(frozen=True)
class Setting:
    """One setting. `default` is None where a value must be given or where there is none; `users` name the services that
    read it."""

    name: str
    says: str
    default: str | None
    is_required: bool
    file_variable: str | None
    users: tuple[str, ...]

    @property
    def is_special(self) -> bool:
        """Whether it is a setting of some services only."""
        return self.name not in {name_of(field.name) for field in dataclasses.fields(Settings)}


def services() -> tuple[str, ...]:
    """Every service, in alphabetical order."""
    return tuple(sorted(wiring.parent.name for wiring in (ROOT / "services").glob("*/wiring.py")))


def settings_of(service: str) -> type[Settings]:
    """The settings that `service` reads."""
    found: type[Settings] = import_module(f"services.{service}.wiring").SERVICE.settings
    return found


def every_setting() -> tuple[Setting, ...]:
    """The settings of all services, those that every service reads first."""
    users: dict[tuple[str, str, Any], list[str]] = {}
    fields: dict[tuple[str, str, Any], dataclasses.Field[Any]] = {}
    for service in services():
        for field in dataclasses.fields(settings_of(service)):
            key = (field.name, field.metadata["says"], field.default)
            fields[key] = field
            users.setdefault(key, []).append(service)
    found = [_setting(field, tuple(users[key])) for key, field in fields.items() if field.name != "service"]
    return tuple(sorted(found, key=lambda one: (one.is_special, one.name, one.default or "")))


def _setting(field: dataclasses.Field[Any], users: tuple[str, ...]) -> Setting:
    is_required = field.default is dataclasses.MISSING
    default = None if is_required or field.default is None else str(field.default)
    return Setting(name_of(field.name), field.metadata["says"], default, is_required, from_file(field), users)


def table() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Every service reads its settings from the environment when it starts, and a wrong one stops the start with",
        "its name. An empty variable counts as not set. A secret may lie in a file instead, named by the variable that",
        "ends in `_FILE`.",
        "",
        "This page is made from the code by `make contracts`.",
        "",
        "| variable | what it says | default | read by |",
        "|---|---|---|---|",
    ]
    lines += [_row(setting) for setting in every_setting()]
    lines += [
        "",
        "`docker-compose.yml` itself is told by:",
        "",
        "| variable | what it says | default |",
        "|---|---|---|",
    ]
    lines += [f"| `{name}` | {says} | `{default}` |" for name, (default, says) in COMPOSE.items()]
    return "\n".join(lines) + "\n"


def _row(setting: Setting) -> str:
    names = f"`{setting.name}`" + (f", `{setting.file_variable}`" if setting.file_variable else "")
    default = (
        f"`{setting.default}`" if setting.default is not None else "needed" if setting.is_required else ""
    )
    users = EVERY if setting.users == services() else ", ".join(setting.users)
    return f"| {names} | {setting.says} | {default} | {users} |"


def example() -> str:
    """.env.example."""
    lines = [
        "# Every setting of the suite in containers. None is needed: copy this to .env and set what should differ.",
        "# docker-compose.yml sets what has to fit together (addresses, secrets); that is not read from here.",
        "# Made from the code by `make contracts`.",
        "",
        "# --- The installation",
    ]
    for name, (default, says) in COMPOSE.items():
        lines += ["", f"# {says}.", f"#{name}={default}"]
    lines += ["", "# --- The services"]
    for setting in every_setting():
        users = "" if setting.users == services() else f" Read by {', '.join(setting.users)}."
        lines += ["", f"# {setting.says}.{users}", f"#{setting.name}={setting.default or ''}"]
        if setting.file_variable:
            lines += [f"#{setting.file_variable}="]
    return "\n".join(lines) + "\n"


def documents() -> Mapping[Path, str]:
    """What is made from the settings."""
    return {ROOT / "docs" / "settings.md": table(), ROOT / ".env.example": example()}


def drift() -> Iterator[str]:
    """Documents that are not what the code says."""
    for path, text in documents().items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)} has drifted: run `make contracts` and commit"


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text)
