"""What stands before the processes of a service, as a Service of Kubernetes does."""

from __future__ import annotations

from tests.faults.proxy import Proxy

__all__ = ["Balancer"]


class Balancer(Proxy):
    """New connections go to the ports that were added, in turn; those that are open stay where they are."""

    def __init__(self, listen: int) -> None:
        super().__init__(listen, 0)
        self._ports: list[int] = []

    def add(self, port: int) -> None:
        """Send new connections there as well."""
        with self._lock:
            self._ports.append(port)

    def remove(self, port: int) -> None:
        """Send no new connection there."""
        with self._lock:
            self._ports.remove(port)

    def _choose(self) -> int:
        with self._lock:
            if not self._ports:
                return self.target  # nobody listens there: the caller is refused
            self._ports.append(self._ports.pop(0))
            return self._ports[-1]
