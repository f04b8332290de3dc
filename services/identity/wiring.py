"""The one place where the objects of identity meet."""

from __future__ import annotations

from pathlib import Path

from services.identity.app import create_app
from services.identity.processes.first_run import first_run_of
from services.identity.settings import IdentitySettings
from services.identity.signing_keys.use_cases import RETIREMENT, retire_signing_key
from shared.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="identity",
    create_app=create_app,
    migrations=Path(__file__).parent / "migrations",
    settings=IdentitySettings,
    timers={RETIREMENT: retire_signing_key},
    first_run=first_run_of,
)
