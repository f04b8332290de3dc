"""What must hold between the compose file and everything it names. Each rule yields a sentence for each breach."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import yaml

from deploy.docker.collector_rules import COLLECTOR_PORT, collector_is_wired
from deploy.docker.compose import MOUNT, ROLES, Compose, Container
from deploy.docker.secrets import READERS
from deploy.settings_reference import COMPOSE, every_setting, services, settings_of
from shared.messaging.principals import username
from shared.settings import KafkaSettings, SettingsError, from_file, name_of

__all__ = ["RULES", "Rule"]

Rule = Callable[[Compose], Iterator[str]]

PORTS = {"postgres": 5432, "kafka": 9092, "otel-collector": COLLECTOR_PORT}
_HEALTH_PORT = 9000
_API_PORT = 8000
_UPSTREAM = re.compile(r"\{\$[A-Z]+_WEB:([a-z-]+):([0-9]+)\}")
_VERSIONED = re.compile(r"[^:]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?[a-z0-9.-]*")


def every_service_runs(compose: Compose) -> Iterator[str]:
    """A service has a migration, a web and a bus process, from one image that is built for it."""
    extras = tomllib.loads((compose.root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for service in services():
        for role in ROLES:
            container = compose.containers.get(f"{service}-{role}")
            if container is None:
                yield f"{service}-{role} is missing"
            elif f"/{service}:" not in container.image:
                yield f"{service}-{role} runs the image {container.image}"
        build = compose.document["services"].get(f"{service}-migrate", {}).get("build", {})
        if build.get("args", {}).get("SERVICE") != service:
            yield f"{service}-migrate does not build the image of {service}"
        if service not in extras:
            yield f"pyproject.toml has no extra {service}"
    for _, service, role in compose.processes():
        if service not in services():
            yield f"{service}-{role} is no process of the suite"


def images_are_built_once(compose: Compose) -> Iterator[str]:
    """One container builds an image of ours; the others are never sent to a registry for it."""
    builders = [container.image for container in compose.containers.values() if "build" in container.entry]
    for image in sorted({image for image in builders if builders.count(image) > 1}):
        yield f"{image} is built more than once"
    for container in compose.containers.values():
        is_ours, is_local = (
            container.image.startswith("crm-suite/"),
            container.entry.get("pull_policy") == "never",
        )
        if is_ours and container.image not in builders:
            yield f"nobody builds the image of {container.name}"
        if is_ours and "build" not in container.entry and not is_local:
            yield f"{container.name} looks for its image in a registry"


def settings_are_known(compose: Compose) -> Iterator[str]:
    """What a container is told is a setting that it reads."""
    for container, service, _ in compose.processes():
        if service in services():
            yield from _unknown(container, settings_of(service))
    yield from _unknown(compose.containers["kafka-setup"], KafkaSettings)


def _unknown(container: Container, settings: type[KafkaSettings]) -> Iterator[str]:
    fields = dataclasses.fields(settings)
    known = {name_of(field.name) for field in fields} | {from_file(field) for field in fields}
    for name in container.environment:
        if name not in known:
            yield f"{container.name} is told {name}, which it does not read"


def settings_are_enough(compose: Compose) -> Iterator[str]:
    """With what it is told and the secrets that are handed to it, each process starts, speaks by TLS and as itself."""
    for container, service, _ in compose.processes():
        if service not in services():
            continue
        try:
            settings = settings_of(service).from_env(container.name, compose.told(container))
        except SettingsError as error:
            yield str(error)
            continue
        if settings.kafka_security != "SASL_SSL" or settings.kafka_username != username(service):
            yield f"{container.name} does not log in to Kafka as {username(service)}"
        if "sslmode=verify-full" not in settings.database_url:
            yield f"{container.name} does not verify its database's certificate"
    setup = compose.containers["kafka-setup"]
    try:
        KafkaSettings.from_env(setup.name, compose.told(setup))
    except SettingsError as error:
        yield str(error)


def variables_are_documented(compose: Compose) -> Iterator[str]:
    """What the operator may set is documented with the default it has, and what is documented is used."""
    known = {setting.name: setting.default or "" for setting in every_setting()}
    known |= {name: default for name, (default, _) in COMPOSE.items()}
    used: Mapping[str, str | None] = dict(compose.variables())
    for name, default in compose.variables():
        if name not in known:
            yield f"docker-compose.yml asks for {name}, which .env.example does not explain"
        elif default != known[name]:
            yield f"docker-compose.yml takes {default!r} for {name}, documented is {known[name]!r}"
    for name in COMPOSE.keys() - used.keys():
        yield f"{name} is documented, but docker-compose.yml does not use it"


def addresses_can_be_reached(compose: Compose) -> Iterator[str]:
    """Who is given an address shares a network with the container of that name, which listens on that port."""
    for container, _, role in compose.processes():
        for name, value in compose.told(container).items():
            if name.endswith("_URL") and name != "CRM_PUBLIC_URL":
                yield from _reached(compose, container.name, urlsplit(value).netloc)
        yield from _reached(compose, container.name, "postgres:5432")
        if role == "bus":
            yield from _reached(compose, container.name, container.environment["CRM_KAFKA_BOOTSTRAP"])
    for host, port in _UPSTREAM.findall((compose.root / "deploy/gateway/Caddyfile").read_text()):
        yield from _reached(compose, "gateway", f"{host}:{port}")
    targets = yaml.safe_load((compose.root / "deploy/observability/prometheus.yml").read_text())
    for job in targets["scrape_configs"]:
        for static in job["static_configs"]:
            for target in static["targets"]:
                yield from _reached(compose, "prometheus", target)


def _reached(compose: Compose, who: str, address: str) -> Iterator[str]:
    host, _, port = address.partition(":")
    target = compose.containers.get(host)
    if target is None:
        yield f"{who} speaks to {host}, which does not exist"
        return
    role = target.process[1] if target.process else ""
    listens = {"web": {_API_PORT, _HEALTH_PORT}, "bus": {_HEALTH_PORT}}.get(role, {PORTS.get(host, 0)})
    if not compose.containers[who].networks & target.networks:
        yield f"{who} speaks to {host}, and shares no network with it"
    if int(port) not in listens:
        yield f"{who} speaks to port {port} of {host}, which listens on {sorted(listens)}"


def starts_in_order(compose: Compose) -> Iterator[str]:
    """Jobs are waited for until they are done, servers until they are well, and somebody can tell."""
    for container in compose.containers.values():
        for name, condition in container.needs.items():
            needed = compose.containers.get(name)
            if needed is None:
                yield f"{container.name} waits for {name}, which does not exist"
            elif needed.is_job != (condition == "service_completed_successfully"):
                yield f"{container.name} waits for {name} until {condition}"
            elif not needed.is_job and not _is_watched(needed):
                yield f"{container.name} waits for the health of {name}, which nobody checks"
        if container.is_job == (container.entry.get("restart") == "unless-stopped"):
            yield f"{container.name} is neither a job nor a server"
        if not container.is_job and not _is_watched(container) and "profiles" not in container.entry:
            yield f"{container.name} has no health check"


def _is_watched(container: Container) -> bool:
    if container.process is not None:
        return not container.entry.get("healthcheck", {}).get("disable", False)
    return "test" in container.entry.get("healthcheck", {})


def volumes_are_closed(compose: Compose) -> Iterator[str]:
    """Every volume is declared and used; secrets are mounted by the container that they are for, and read-only."""
    declared = set(compose.document["volumes"])
    used: dict[str, set[str]] = {}
    for container in compose.containers.values():
        for source in container.mounts.values():
            if source.startswith("./"):
                if not (compose.root / source).exists():
                    yield f"{container.name} mounts {source}, which does not exist"
            else:
                used.setdefault(source, set()).add(container.name)
        for text in container.entry.get("volumes", []):
            if f":{MOUNT}" in text and not text.endswith(":ro"):
                yield f"{container.name} may write its secrets"
    for name in declared ^ used.keys():
        yield f"the volume {name} is not both declared and used"
    if {f"{reader}-secrets" for reader in READERS} != {
        name for name in declared if name.endswith("-secrets")
    }:
        yield "the volumes of secrets are not those of the readers in deploy/docker/secrets.py"
    for name, users in used.items():
        owner = "secrets" if name == "vault" else name.removesuffix("-secrets")
        allowed = {"secrets", owner, *(f"{owner}-{role}" for role in ROLES)}
        if (name == "vault" or name.endswith("-secrets")) and not users <= allowed:
            yield f"{name} is mounted by {', '.join(sorted(users - allowed))}"
        if name.endswith("-secrets") and "secrets" not in users:
            yield f"nobody fills {name}"


def containers_are_confined(compose: Compose) -> Iterator[str]:
    """No root, no capabilities, no writing outside volumes, limits, pinned images, and one way out."""
    for container in compose.containers.values():
        entry = container.entry
        wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
        for key, value in wanted.items():
            if entry.get(key) != value:
                yield f"{container.name}: {key} is {entry.get(key)!r}, not {value!r}"
        if "mem_limit" not in entry:
            yield f"{container.name} has no mem_limit"
        if not _VERSIONED.fullmatch(container.image.rpartition("/")[2]):
            yield f"{container.name}: the image {container.image} names no version"
        if str(entry.get("user", "image")).startswith(("0", "root")) and container.name != "secrets":
            yield f"{container.name} runs as root"
        if not container.networks and entry.get("network_mode") != "none":
            yield f"{container.name} is in the default network, with everybody"
        for port in entry.get("ports", []):
            if not port.startswith(("127.0.0.1:", "${CRM_LISTEN:-127.0.0.1}:")):
                yield f"{container.name} opens {port} to everybody"
            if "public" not in container.networks:
                yield f"{container.name} opens {port} in a network that does not lead out"
    for name, network in compose.document["networks"].items():
        if name != "public" and not network.get("internal"):
            yield f"the network {name} leads out"
        if not any(name in container.networks for container in compose.containers.values()):
            yield f"nobody is in the network {name}"


RULES: tuple[Rule, ...] = (
    every_service_runs,
    images_are_built_once,
    settings_are_known,
    settings_are_enough,
    variables_are_documented,
    addresses_can_be_reached,
    starts_in_order,
    volumes_are_closed,
    containers_are_confined,
    collector_is_wired,
)
