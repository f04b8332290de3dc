"""Who may do what on a Kafka cluster: each service is a user, and may do what the topics declare and nothing else.

A service writes its own topics, reads those it subscribes to, and is a member of its own group. Nobody else writes a
topic, not even its readers. What Kafka grants with it (to describe what one may read or write, and to send with an
idempotent producer) is not repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError, NoError

from shared.contracts.catalog import Catalog
from shared.messaging.kafka_login import KafkaLogin
from shared.messaging.topics import connect_patiently
from shared.messaging.transport import BusUnavailable

__all__ = ["MECHANISM", "Right", "grant", "rights_of", "username"]

MECHANISM = "SCRAM-SHA-512"

_KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}
_OPERATIONS = {"read": ACLOperation.READ, "write": ACLOperation.WRITE}


@dataclass(frozen=True, order=True)
class Right:
    """`operation` ("read" or "write") on the `kind` ("topic" or "group") of that `name`."""

    operation: str
    kind: str
    name: str


def username(service: str) -> str:
    """The name under which a service speaks to Kafka."""
    return f"crm-{service}"


def rights_of(service: str, catalog: Catalog) -> frozenset[Right]:
    """Everything that `service` may do."""
    written = {
        Right("write", "topic", topic.name) for topic in catalog.topics.values() if topic.service == service
    }
    read = {Right("read", "topic", name) for name in catalog.subscriptions(service)}
    group = {Right("read", "group", catalog.group(service))} if read else set()
    return frozenset(written | read | group)


def grant(
    bootstrap: str,
    login: KafkaLogin,
    passwords: Mapping[str, str],
    catalog: Catalog,
    *,
    patience: float = 60.0,
) -> None:
    """Let each service in `passwords` speak to the cluster with its password, and do what `rights_of` says.

    A right that it had and should not have is taken away; running it again changes nothing. `login` is an
    administrator's. Raises BusUnavailable when the cluster does not answer within `patience` seconds or refuses.
    """
    admin = connect_patiently(bootstrap, login, threading.Event(), patience)
    try:
        _set_passwords(admin, passwords)
        for service in passwords:
            _set_rights(admin, f"User:{username(service)}", rights_of(service, catalog))
    except KafkaError as error:
        raise BusUnavailable(f"Kafka did not take the users and their rights: {error}") from error
    finally:
        admin.close()


def _set_passwords(admin: Any, passwords: Mapping[str, str]) -> None:
    wanted = [
        UserScramCredentialUpsertion(username(service), MECHANISM, password)
        for service, password in sorted(passwords.items())
    ]
    refused = {user: error for user, error in admin.alter_user_scram_credentials(wanted).items() if error}
    if refused:
        raise BusUnavailable(f"Kafka refused passwords: {refused}")


def _set_rights(admin: Any, principal: str, rights: Iterable[Right]) -> None:
    anything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    all_of_it = ACLFilter(principal, None, ACLOperation.ANY, ACLPermissionType.ANY, anything)
    present = set(admin.describe_acls(all_of_it)[0])
    wanted = {_acl(principal, right) for right in rights}
    refused: list[type[KafkaError]] = []
    if wanted - present:
        refused += admin.create_acls(list(wanted - present))["failed"]
    if present - wanted:
        refused += [
            error for _, _, error in admin.delete_acls(list(present - wanted)) if error is not NoError
        ]
    if refused:
        raise BusUnavailable(f"Kafka refused rights of {principal}: {refused[0].__name__}")


def _acl(principal: str, right: Right) -> ACL:
    pattern = ResourcePattern(_KINDS[right.kind], right.name)
    return ACL(principal, "*", _OPERATIONS[right.operation], ACLPermissionType.ALLOW, pattern)
