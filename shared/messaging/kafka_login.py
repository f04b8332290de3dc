"""How a process becomes a client of a Kafka cluster: by which login, within which time, and what is said when it is
let in by nobody."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka.errors import KafkaError

from shared.messaging.transport import BusUnavailable
from shared.settings import KafkaSettings

__all__ = ["BOOTSTRAP_MS", "NO_LOGIN", "REQUEST_MS", "KafkaLogin", "connect"]

REQUEST_MS = 5_000
BOOTSTRAP_MS = 3_000

_CONNECTION = {
    "bootstrap_timeout_ms": BOOTSTRAP_MS,
    "request_timeout_ms": REQUEST_MS,
    # The default backs off to 30 s, which would be the time to notice that a broker is back.
    "reconnect_backoff_max_ms": 2_000,
}


@dataclass(frozen=True)
class KafkaLogin:
    """How a cluster is spoken to, and by whom: as the settings of the same names say."""

    security: str = "PLAINTEXT"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @classmethod
    def of(cls, settings: KafkaSettings) -> KafkaLogin:
        """The login that the settings describe."""
        return cls(
            settings.kafka_security, settings.kafka_username, settings.kafka_password, settings.kafka_ca_file
        )

    def options(self) -> dict[str, Any]:
        """What a kafka-python client has to be told."""
        options: dict[str, Any] = {"security_protocol": self.security}
        if self.security != "PLAINTEXT":
            options |= {"ssl_cafile": str(self.ca_file) if self.ca_file else None, "ssl_check_hostname": True}
        if self.security == "SASL_SSL":
            options |= {
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


NO_LOGIN = KafkaLogin()


def connect(client: Callable[..., Any], bootstrap: str, login: KafkaLogin = NO_LOGIN, **settings: Any) -> Any:
    """A kafka-python client of the cluster at `bootstrap`, which is looked for for three seconds.

    Raises BusUnavailable when no broker answers, or none takes the login.
    """
    try:
        return client(bootstrap_servers=bootstrap, **_CONNECTION | login.options() | settings)
    except (KafkaError, OSError) as error:
        reason = _refusal(bootstrap, login) or str(error)
        raise BusUnavailable(f"Kafka cannot be reached at {bootstrap}: {reason}") from error


def _refusal(bootstrap: str, login: KafkaLogin) -> str | None:
    """Why a broker that can be reached lets nobody in; None where that is not what is wrong.

    kafka-python 3.0.12 loses the broker's own words: over TLS they come together with the end of the connection.
    """
    if login.security == "PLAINTEXT":
        return None
    host, _, port = bootstrap.split(",")[0].strip().rpartition(":")
    try:
        trust = ssl.create_default_context(cafile=login.ca_file)
        with (
            socket.create_connection((host, int(port)), timeout=BOOTSTRAP_MS / 1000) as raw,
            trust.wrap_socket(raw, server_hostname=host),
        ):
            pass
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}"
    except (OSError, ValueError):
        return None
    who = f"the login of {login.username}" if login.security == "SASL_SSL" else "whoever does not log in"
    return f"it answers, so it must have refused {who}"
