"""What a suite must remember and nobody else may read: ``.crm/secrets.json``, mode 600."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ADMIN_CLIENT_ID = "local-admin"


@dataclass(frozen=True)
class SecretStore:
    """Random words by name, each made when first asked for and the same for ever after."""

    path: Path

    def password(self, service: str) -> str:
        """Password of the PostgreSQL role of ``service``."""
        return self._get(f"postgres/{service}", lambda: secrets.token_urlsafe(24))

    def signing_key(self, service: str) -> str:
        """What ``service`` signs its cursors and links with."""
        return self._get(f"signing/{service}", lambda: secrets.token_urlsafe(32))

    def admin_client_secret(self) -> str:
        """Secret of the API client ``local-admin``, which identity makes when it first starts."""
        return self._get("client/local-admin", lambda: f"crmk_{secrets.token_urlsafe(32)}")

    def _get(self, name: str, make: Callable[[], str]) -> str:
        known: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        if name not in known:
            known[name] = make()
            fresh = self.path.with_name(f"{self.path.name}.new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(known, file, indent=2)
            fresh.rename(self.path)
        return known[name]
