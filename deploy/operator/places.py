"""Where the suite is that an operator speaks to: on this machine, or at addresses given in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from deploy.local.ports import HTTP
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite
from shared.observability.lookout import Address

__all__ = ["LocalPlace", "Place", "RemotePlace", "find_place"]


class Place(Protocol):
    """A suite: its services, their addresses, and who the operator is there."""

    @property
    def services(self) -> tuple[str, ...]:
        """The names of its services."""
        ...

    def address(self, service: str) -> Address:
        """Where the processes of a service answer."""
        ...

    def token(self) -> str:
        """A bearer token of the operator. Raises LocalProblem."""
        ...

    def environment(self, service: str) -> Mapping[str, str]:
        """The environment in which `python -m services.<service>` finds its settings."""
        ...


@dataclass(frozen=True)
class LocalPlace:
    """The suite that ``make run`` started, in the name of its administrator."""

    suite: LocalSuite

    @property
    def services(self) -> tuple[str, ...]:
        return self.suite.services

    def address(self, service: str) -> Address:
        bus = self.suite.health_url(service, "bus").removesuffix("/readyz")
        return Address(service, self.suite.url(service), bus)

    def token(self) -> str:
        return self.suite.token()

    def environment(self, service: str) -> Mapping[str, str]:
        return {**os.environ, **self.suite.environment(service, "cli")}


@dataclass(frozen=True)
class RemotePlace:
    """A suite elsewhere: ``CRM_URL`` and ``CRM_BUS_URL`` with ``{service}`` in the place of a service's name.

    The operator is ``CRM_TOKEN``, or the API client ``CRM_CLIENT_ID`` with ``CRM_CLIENT_SECRET``. Commands that need a
    service's own settings run where those are, for example in its container.
    """

    variables: Mapping[str, str]

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(HTTP)

    def address(self, service: str) -> Address:
        api = self.variables["CRM_URL"]
        return Address(
            service, *(self._of(service, url) for url in (api, self.variables.get("CRM_BUS_URL", api)))
        )

    def token(self) -> str:
        if "CRM_TOKEN" in self.variables:
            return self.variables["CRM_TOKEN"]
        client = self.variables.get("CRM_CLIENT_ID"), self.variables.get("CRM_CLIENT_SECRET")
        if client[0] is None or client[1] is None:
            raise LocalProblem("Set CRM_TOKEN, or CRM_CLIENT_ID and CRM_CLIENT_SECRET, to say who you are.")
        url = f"{self.address('identity').api}/oauth/token"
        try:
            answer = httpx.post(
                url, data={"grant_type": "client_credentials"}, auth=(client[0], client[1]), timeout=10
            )
        except httpx.HTTPError as failure:
            raise LocalProblem(f"Identity does not answer at {url}: {failure}.") from failure
        if answer.status_code != 200:
            raise LocalProblem(f"Identity gave no token: {answer.status_code} {answer.text[:200]}")
        token: str = answer.json()["access_token"]
        return token

    def environment(self, service: str) -> Mapping[str, str]:
        return self.variables

    @staticmethod
    def _of(service: str, url: str) -> str:
        if "{service}" not in url:
            raise LocalProblem(
                f"{url} must say where the service's name belongs: https://crm.example/{{service}}."
            )
        return url.replace("{service}", service).rstrip("/")


def find_place(home: Path, variables: Mapping[str, str] = os.environ) -> Place:
    """The suite at ``CRM_URL`` if that is set, else the one that runs in `home`. Raises LocalProblem."""
    if variables.get("CRM_URL"):
        return RemotePlace(variables)
    return LocalPlace(LocalSuite.running(home))
