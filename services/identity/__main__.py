"""`python -m services.identity web|bus|migrate|first-run|...`"""

from __future__ import annotations

from pathlib import Path

import click

from services.identity.processes.first_run import first_run_from
from services.identity.settings import IdentitySettings
from services.identity.wiring import SERVICE
from shared.cli import cli, main


@cli.command("first-run")
@click.option("--client-id", help="Name of the administrator's API client instead of CRM_ADMIN_CLIENT_ID.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with that client's secret instead of CRM_ADMIN_CLIENT_SECRET.",
)
def first_run_command(client_id: str | None, secret_file: Path | None) -> None:
    """Make what a new installation needs; run it after every `migrate`, a second time changes nothing."""
    done = first_run_from(
        IdentitySettings.from_env(SERVICE.name),
        SERVICE,
        client_id=client_id,
        client_secret=secret_file.read_text().strip() if secret_file else None,
    )
    click.echo(f"The administrator is {done.admin_email} ({done.admin_id}).")


main(SERVICE)
