"""Gives every service a role and a database of its own: `python -m deploy.postgres.setup FOLDER`.

FOLDER holds `superuser_url`, the address of the server for its superuser, and in `passwords` a file per service with
the password of its role. Running it again changes nothing but passwords that are new.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from deploy.postgres.databases import provision


@dataclass(frozen=True)
class _Remote:
    """A server known by its superuser's URL."""

    superuser_url: str

    def url(self, database: str) -> str:
        return make_url(self.superuser_url).set(database=database).render_as_string(hide_password=False)


def main(folder: Path) -> int:
    """0, or 1 with one sentence that says what is wrong."""
    passwords = {file.name: file.read_text().strip() for file in sorted((folder / "passwords").iterdir())}
    try:
        provision(_Remote((folder / "superuser_url").read_text().strip()), passwords, passwords)
    except psycopg.Error as error:
        sys.stderr.write(f"The databases could not be made: {error}\n")
        return 1
    sys.stdout.write(f"databases are there for {', '.join(passwords)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
