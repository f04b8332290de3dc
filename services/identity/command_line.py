"""What the command line of identity has besides the commands of every service."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import IO, Any

import click
from marshmallow import ValidationError

from services.identity.api_clients.use_cases import NewSecret
from services.identity.processes import first_administrator as operators
from services.identity.signing_keys import use_cases as signing
from services.identity.signing_keys.queries import list_keys
from services.identity.users.schemas import InviteUser
from shared.cli import operating
from shared.service import Service
from shared.settings import SECRET_CHARACTERS
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


@click.group("keys")
def keys() -> None:
    """The keys that access tokens are signed with."""


@keys.command("list")
@click.pass_obj
def keys_list(service: Service) -> None:
    """Show every published key: waiting (the next), signing (now), or retiring (its tokens live on)."""
    with operating(service, "keys.list") as (runtime, uow):
        for key in list_keys(uow.session, runtime.clock.now()):
            click.echo(f"{key.kid} {key.state:<8} signs from {key.signs_from:%Y-%m-%d %H:%M} UTC")


@keys.command("rotate")
@click.option(
    "--publish-hours",
    type=click.FloatRange(0.25),
    default=signing.PUBLISHED_BEFORE_SIGNING.total_seconds() / 3600,
    show_default=True,
    help="How long services may fetch the next key before it signs; they look every five minutes.",
)
@click.pass_obj
def keys_rotate(service: Service, publish_hours: float) -> None:
    """Let a new key follow the one that signs, without an interruption.

    The new one is published now and signs later; the old one is deleted when its last token has ended.
    """
    with operating(service, "keys.rotate") as (runtime, uow):
        key = signing.rotate_signing_key(
            runtime.settings.secret, uow, published_before=timedelta(hours=publish_hours)
        )
    click.echo(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M} UTC.")


@keys.command("replace")
@click.confirmation_option(prompt="Every token that was given out ends. Go on?")
@click.pass_obj
def keys_replace(service: Service) -> None:
    """Sign with a new key at once and delete all others: for one that leaked.

    Other services notice within five minutes; until then they may refuse new tokens, and take old ones.
    """
    with operating(service, "keys.replace") as (runtime, uow):
        key = signing.replace_signing_keys(runtime.settings.secret, uow)
    click.echo(f"{key.kid} signs from now on.")


@keys.command("change-secret")
@click.argument("old", type=click.File())
@click.argument("new", type=click.File())
@click.pass_obj
def keys_change_secret(service: Service, old: IO[str], new: IO[str]) -> None:
    """Encrypt the keys anew, for another CRM_SECRET. OLD and NEW are files with the secrets; - is standard input.

    Repeating it changes nothing. Give the processes the new secret afterwards.
    """
    before, after = _secret(old), _secret(new)
    with operating(service, "keys.change_secret") as (_, uow):
        changed = signing.change_secret(before, after, uow)
    click.echo(f"{changed} keys are encrypted anew.")


def _secret(file: IO[str]) -> str:
    """What a settings file holds. Raises UsageError where the settings would refuse it."""
    secret = file.read().rstrip("\r\n")
    if len(secret) < SECRET_CHARACTERS:
        raise click.UsageError(f"{file.name}: a secret has {SECRET_CHARACTERS} characters or more.")
    return secret


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


COMMANDS = (first_administrator, reset_operator, keys)
