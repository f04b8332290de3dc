"""What a web application keeps for its whole life, and the decisions that are the same for every route."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shared.access.principal import Principal
from shared.access.standing import Standing, standing_of
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
    """The local copy of who is let in still, asked at most every 15 s per subject, client and process."""

    def __init__(self, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._monotonic = monotonic
        self._known: dict[tuple[str, str], tuple[float, Standing]] = {}
        self._lock = threading.Lock()

    def check(self, principal: Principal) -> None:
        """Raises Unauthorized when the subject or its client is known to be inactive, its session to be revoked, or
        its rights to have changed since.

        A subject that is not known here yet is accepted.
        """
        now = self._monotonic()
        caller = (principal.subject, principal.client_id)
        until, standing = self._known.get(caller, (now, None))
        if standing is None or until <= now:
            with self._database.engine.connect() as connection:
                standing = standing_of(principal, connection)
            with self._lock:
                if len(self._known) >= _REMEMBERED_SUBJECTS:
                    self._known.clear()
                self._known[caller] = (now + _KNOWN_FOR_SECONDS, standing)
        if not standing.active:
            raise Unauthorized("The account that the access token stands for is not active.")
        if principal.sid in standing.revoked_sessions:
            raise Unauthorized("The session of the access token has ended. Log in again.")
        if not standing.holds(principal):
            raise Unauthorized("The rights behind the access token have changed. Ask for a new one.")


@dataclass(frozen=True, slots=True)
class Application:
    """One application's parts. `group` is the service's consumer group. `new_unit_of_work` opens one on a session of
    its own, `new_reading_session` one for questions only; `readiness` says whether the database is reachable and
    migrated, and if not, why."""

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
    new_reading_session: Callable[[], Session]
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
