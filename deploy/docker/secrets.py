"""Passwords, keys and certificates of one installation: `python -m deploy.docker.secrets VAULT READERS`.

What VAULT lacks is made; what it holds stays, so running it again changes nothing but certificates that end within a
month. READERS then gets a folder for each container, with what that container needs and nothing else, readable by the
account that it runs as. To change a secret, delete its file in VAULT and run this again.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from cryptography import x509

from deploy.docker.certificates import Authority, Identity, expires_at
from deploy.kafka.properties import SECURED, new_cluster_id, render
from deploy.postgres.databases import database_name

__all__ = ["READERS", "Reader", "Vault", "hand_out", "main"]

SERVICES = ("identity", "sales", "marketing", "support", "fieldservice", "analytics", "erp", "web")
MOUNT = "/run/crm"
"""Where a container finds its folder."""
RENEW_DAYS = 30

Content = str | bytes


@dataclass(frozen=True)
class Vault:
    """The folder with everything."""

    folder: Path

    def word(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
        """The secret of that name, made when first asked for."""
        path = self.folder / name
        if not path.exists():
            _write(path, make().encode())
        return path.read_text()

    def authority(self) -> Authority:
        """The installation's own certificate authority."""
        known = self._identity("authority")
        if known is None:
            known = Authority.found("CRM suite").identity
            self._keep("authority", known)
        return Authority(known)

    def certificate(self, name: str, hosts: list[str]) -> Identity:
        """Key and certificate of the server `name`, renewed a month before they end or when `hosts` have changed.

        A certificate of another authority was put there by the operator, and stays.
        """
        known, authority = self._identity(name), self.authority()
        if known is None or _is_due(known, authority, hosts):
            known = authority.issue(name, hosts)
            self._keep(name, known)
        return known

    def _identity(self, name: str) -> Identity | None:
        key, certificate = self._paths(name)
        return Identity(key.read_bytes(), certificate.read_bytes()) if key.exists() else None

    def _keep(self, name: str, identity: Identity) -> None:
        key, certificate = self._paths(name)
        _write(certificate, identity.certificate)
        _write(key, identity.key)

    def _paths(self, name: str) -> tuple[Path, Path]:
        folder = self.folder / "certificates"
        return folder / f"{name}.key", folder / f"{name}.pem"


@dataclass(frozen=True)
class Reader:
    """A container: `account` is the number of the user and group it runs as, `files` what it needs."""

    account: int
    files: Callable[[Vault, str], Mapping[str, Content]]


def hand_out(vault: Vault, readers: Path, domain: str) -> None:
    """Write the folder of every reader below `readers`. `domain` is the name of the suite in browsers."""
    for name, reader in READERS.items():
        folder = readers / name
        for file, content in reader.files(vault, domain).items():
            data = content if isinstance(content, bytes) else content.encode()
            _write(folder / file, data, reader.account)


def _service(service: str) -> Callable[[Vault, str], Mapping[str, Content]]:
    def files(vault: Vault, _: str) -> dict[str, Content]:
        name, password = database_name(service), vault.word(f"database/{service}")
        return {
            "ca.pem": vault.authority().identity.certificate,
            "database_url": _database_url(name, password, name),
            "kafka_password": vault.word(f"kafka/{service}"),
            "secret": vault.word(f"signing/{service}"),
        }

    return files


def _database_url(user: str, password: str, database: str) -> str:
    trust = f"sslmode=verify-full&sslrootcert={MOUNT}/ca.pem"
    return f"postgresql://{user}:{quote(password, safe='')}@postgres:5432/{database}?{trust}"


def _passwords(vault: Vault, of: str) -> dict[str, Content]:
    return {f"passwords/{service}": vault.word(f"{of}/{service}") for service in SERVICES}


def _postgres(vault: Vault, _: str) -> dict[str, Content]:
    server = vault.certificate("postgres", ["postgres"])
    return {
        "superuser_password": vault.word("postgres_superuser"),
        "server.pem": server.certificate,
        "server.key": server.key,
    }


def _postgres_setup(vault: Vault, _: str) -> dict[str, Content]:
    url = _database_url("postgres", vault.word("postgres_superuser"), "postgres")
    return {
        "ca.pem": vault.authority().identity.certificate,
        "superuser_url": url,
        **_passwords(vault, "database"),
    }


def _kafka(vault: Vault, _: str) -> dict[str, Content]:
    broker = vault.certificate("kafka", ["kafka", "127.0.0.1"])
    variables = {
        "data": "/var/lib/kafka/data",
        "listen": "0.0.0.0",  # noqa: S104 - inside the container
        "host": "kafka",
        "port": "9092",
        "internal_port": "9093",
        "controller_port": "9094",
        "certificates": MOUNT,
    }
    return {
        "ca.pem": vault.authority().identity.certificate,
        "kafka.pem": broker.key + broker.certificate,
        "server.properties": render(SECURED, variables),
        "admin_password": vault.word("kafka_admin"),
        "cluster_id": vault.word("kafka_cluster_id", new_cluster_id),
    }


def _kafka_setup(vault: Vault, _: str) -> dict[str, Content]:
    return {
        "ca.pem": vault.authority().identity.certificate,
        "admin_password": vault.word("kafka_admin"),
        **_passwords(vault, "kafka"),
    }


def _gateway(vault: Vault, domain: str) -> dict[str, Content]:
    server = vault.certificate("gateway", [domain])
    return {"server.pem": server.certificate, "server.key": server.key}


def _grafana(vault: Vault, _: str) -> dict[str, Content]:
    return {"admin_password": vault.word("grafana_admin")}


def _operator(vault: Vault, _: str) -> dict[str, Content]:
    return {
        "ca.pem": vault.authority().identity.certificate,
        "grafana_admin_password": vault.word("grafana_admin"),
    }


# The accounts are those of the images: ours, PostgreSQL's (Debian), Kafka's, Grafana's.
READERS: Mapping[str, Reader] = {
    **{service: Reader(10001, _service(service)) for service in SERVICES},
    "postgres": Reader(999, _postgres),
    "postgres-setup": Reader(10001, _postgres_setup),
    "kafka": Reader(1000, _kafka),
    "kafka-setup": Reader(10001, _kafka_setup),
    "gateway": Reader(10001, _gateway),
    "grafana": Reader(472, _grafana),
    "operator": Reader(10001, _operator),
}


def _is_due(known: Identity, authority: Authority, hosts: list[str]) -> bool:
    certificate = x509.load_pem_x509_certificate(known.certificate)
    ours = x509.load_pem_x509_certificate(authority.identity.certificate)
    if certificate.issuer != ours.subject:
        return False
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if [str(name.value) for name in names] != hosts:
        return True
    return expires_at(known.certificate) - datetime.now(UTC) < timedelta(days=RENEW_DAYS)


def _write(path: Path, content: bytes, account: int | None = None) -> None:
    """Put a file in place in one step: a reader sees the old one or the new one, and nobody else sees either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        file.write(content)
        if account is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), account, account)
    fresh.replace(path)


def missing_folders(readers: Path) -> Iterator[str]:
    """Readers that have no folder below `readers`: their volume is not mounted."""
    return (name for name in READERS if not (readers / name).is_dir())


def main(vault: Path, readers: Path) -> int:
    """0, or 1 with one sentence that says what is wrong."""
    missing = ", ".join(missing_folders(readers))
    if missing:
        sys.stderr.write(f"Nothing is mounted below {readers} for: {missing}.\n")
        return 1
    hand_out(Vault(vault), readers, os.environ.get("CRM_DOMAIN") or "localhost")
    sys.stdout.write(f"secrets are handed out to {len(READERS)} readers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
