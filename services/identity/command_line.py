"""What the command line of identity has besides the commands of every service."""

from __future__ import annotations

import sys
from typing import Any

import click
from marshmallow import ValidationError

from services.identity.api_clients.use_cases import NewSecret
from services.identity.processes import first_administrator as operators
from services.identity.users.schemas import InviteUser
from shared.cli import operating
from shared.service import Service
from shared.web.schema import field_errors

__all__ = ["COMMANDS"]


@click.command("first-administrator")
@click.option("--email", required=True, help="Who will log in with it.")
@click.option("--name", default="Administrator", show_default=True, help="As others see it.")
@click.pass_obj
def first_administrator(service: Service, email: str, name: str) -> None:
    """Make the first administrator of an installation, and the API client `operator`, which may do everything.

    Prints the client's secret, once, as the two variables that ./crm reads.
    """
    values = _user(email=email, display_name=name)
    with operating(service, "first_administrator") as (_, uow):
        made = operators.appoint_first_administrator(values, uow)
    click.echo(f"{email} administers this installation.", err=True)
    _show(made)


@click.command("reset-operator")
@click.pass_obj
def reset_operator(service: Service) -> None:
    """Give the API client `operator` all its rights and another secret; those before are void.

    Prints the secret, once, as the two variables that ./crm reads.
    """
    with operating(service, "reset_operator") as (_, uow):
        made = operators.reset_operator(uow)
    _show(made)


def _user(**given: str) -> dict[str, Any]:
    schema = InviteUser(only=("email", "display_name", "locale", "time_zone"))
    try:
        values: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        wrong = (
            f"{each['pointer'].removeprefix('/')}: {each['detail']}" for each in field_errors(error.messages)
        )
        raise click.UsageError(" ".join(wrong)) from error
    return values


def _show(made: NewSecret) -> None:
    click.echo("Keep the secret: it is shown this once.", err=True)
    sys.stdout.write(f"CRM_CLIENT_ID={made.client.client_id}\nCRM_CLIENT_SECRET={made.secret}\n")


COMMANDS = (first_administrator, reset_operator)
