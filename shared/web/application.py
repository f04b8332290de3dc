"""What a web application keeps for its whole life, and the decisions that are the same for every route."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from shared.access.principal import Principal
from shared.access.tables import PRINCIPALS
from shared.contracts.policy import Permission, Policy
from shared.db.engine import Database
from shared.db.unit_of_work import UnitOfWork
from shared.kernel.clock import Clock
from shared.kernel.errors import NotPermitted
from shared.web.links import LinkSigner
from shared.web.pagination import CursorSigner
from shared.web.problems import TooManyRequests, Unauthorized
from shared.web.rate_limits import RateLimit
from shared.web.tokens import TokenVerifier

__all__ = ["Application", "Subjects"]

_KNOWN_FOR_SECONDS = 15
_REMEMBERED_SUBJECTS = 10_000


class Subjects:
    """The local copy of who is active and at which epoch, asked at most every 15 s per subject and
    process."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, int, bool]] = {}
        self._lock = threading.Lock()

    def check(self, principal: Principal) -> None:
        """Raises Unauthorized when the subject is known to be inactive or its rights have changed since.

        A subject that is not known here yet is accepted.
        """
        now = self._monotonic()
        known = self._known.get(principal.subject)
        if known is None or known[0] <= now:
            known = (now + _KNOWN_FOR_SECONDS, *self._look_up(principal))
            with self._lock:
                if len(self._known) >= _REMEMBERED_SUBJECTS:
                    self._known.clear()
                self._known[principal.subject] = known
        _, epoch, active = known
        if not active:
            raise Unauthorized("The account that the access token stands for is not active.")
        if principal.epoch < epoch:
            raise Unauthorized("The rights behind the access token have changed. Ask for a new one.")

    def _look_up(self, principal: Principal) -> tuple[int, bool]:
        try:
            subject = uuid.UUID(principal.subject)
        except ValueError:
            return 0, True
        query = select(PRINCIPALS.c.epoch, PRINCIPALS.c.active).where(PRINCIPALS.c.id == subject)
        with self._database.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (0, True) if row is None else (row.epoch, row.active)


@dataclass(frozen=True, slots=True)
class Application:
    """One application's parts. `group` is the service's consumer group. `new_unit_of_work` opens one on a
    session of its own; `readiness` says whether the database is reachable and migrated, and if not, why."""

    group: str
    policy: Policy
    clock: Clock
    tokens: TokenVerifier
    subjects: Subjects
    cursors: CursorSigner
    links: LinkSigner
    client_limit: RateLimit
    public_limit: RateLimit
    new_unit_of_work: Callable[[], UnitOfWork]
    readiness: Callable[[], tuple[bool, str | None]]

    def authenticate(self, authorization: str | None) -> Principal:
        """The caller behind the Authorization header. Raises Unauthorized."""
        if authorization is None:
            raise Unauthorized("Send an access token in the Authorization header.", challenge="")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or not token.isascii() or "," in token or " " in token:
            raise Unauthorized("The Authorization header must be exactly one bearer token.")
        principal = self.tokens.verify(token)
        self.subjects.check(principal)
        return principal

    def authorize(self, principal: Principal, permission: Permission) -> None:
        """Raises NotPermitted, naming the permission, unless `principal` holds it and may hold it at all."""
        if not principal.may(permission.name) or (principal.kind == "portal" and not permission.portal):
            raise NotPermitted(
                f"This needs the permission {permission.name}: {permission.says}.", permission=permission.name
            )

    def limit_client(self, caller: str) -> None:
        """Count a request of a known caller. Raises TooManyRequests."""
        _limit(self.client_limit, caller)

    def limit_public(self, address: str) -> None:
        """Count a request from `address` to a public door. Raises TooManyRequests."""
        _limit(self.public_limit, address)


def _limit(rate: RateLimit, caller: str) -> None:
    if wait := rate.take(caller):
        raise TooManyRequests(f"Go on in {wait} s.", headers={"Retry-After": str(wait)})
