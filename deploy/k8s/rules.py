"""What must hold between the manifests of an overlay and what they name. A rule yields a sentence for each breach."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.k8s import network
from deploy.k8s.manifests import SECRETS, Installation, Process
from deploy.settings_reference import services, settings_of
from shared.contracts.catalog import Catalog
from shared.messaging.principals import username
from shared.settings import SettingsError, from_file, name_of

__all__ = ["RULES", "Rule"]

Rule = Callable[[Installation], Iterator[str]]

# The client library of PostgreSQL reads these itself.
LIBPQ = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": f"{SECRETS}/database_ca.pem"}
PROBES = {"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
_PORT_OF = {"web": "CRM_PORT", "bus": "CRM_HEALTH_PORT"}
_VERSIONED = re.compile(r".+:[0-9]+\.[0-9]+[a-z0-9.-]*")
# What operators put into the Secrets that they make.
_DATABASE_SECRETS = {"app": {"uri", "username", "password"}, "ca": {"ca.crt"}}
_BROKER_SECRETS = {"password", "sasl.jaas.config"}
_BROKER_CA = "crm-cluster-ca-cert"


def every_service_runs(installation: Installation) -> Iterator[str]:
    """A service has its three processes, all that keeps them going, its database and its login at the broker."""
    for service in services():
        web, bus, database = f"{service}-web", f"{service}-bus", f"{service}-database"
        for kind, name in (
            *(("Deployment", name) for name in (web, bus)),
            *(("PodDisruptionBudget", name) for name in (web, bus)),
            *(("Service", name) for name in (web, bus)),
            ("Job", f"{service}-migrate"),
            ("HorizontalPodAutoscaler", web),
            ("ScaledObject", bus),
            ("Cluster", database),
            ("ExternalSecret", f"{service}-secrets"),
            ("KafkaUser", username(service)),
        ):
            if not installation.has(kind, name):
                yield f"there is no {kind} {name}"
    for process in installation.processes():
        if process.service not in services() or process.container["args"] != [process.role]:
            yield f"{process.name} is no process of the suite"
        for container in process.containers:
            if f"/{process.service}:" not in container["image"]:
                yield f"{process.name} runs the image {container['image']}"


def databases_are_backed_up(installation: Installation) -> Iterator[str]:
    """In production, every database archives its log, is copied regularly, and commits on two machines."""
    if installation.overlay != "production":
        return
    for cluster in installation.of("Cluster"):
        name, spec = cluster["metadata"]["name"], cluster["spec"]
        stores = [
            p["parameters"]["barmanObjectName"] for p in spec.get("plugins", []) if p.get("isWALArchiver")
        ]
        if not any(installation.has("ObjectStore", store) for store in stores):
            yield f"{name} does not archive its log"
        if not any(
            backup["spec"]["cluster"]["name"] == name for backup in installation.of("ScheduledBackup")
        ):
            yield f"nobody backs {name} up"
        if (
            spec["instances"] < 3
            or spec["postgresql"].get("synchronous", {}).get("dataDurability") != "required"
        ):
            yield f"a failover of {name} may lose what was committed"


def settings_are_known(installation: Installation) -> Iterator[str]:
    """What a process is told is a setting that it reads."""
    for process in installation.processes():
        fields = dataclasses.fields(settings_of(process.service))
        known = (
            {name_of(field.name) for field in fields} | {from_file(field) for field in fields} | LIBPQ.keys()
        )
        for container in process.containers:
            told = {variable["name"] for variable in container.get("env", [])} | process.told.keys()
            yield from (f"{process.name} is told {name}, which it does not read" for name in told - known)


def settings_are_enough(installation: Installation) -> Iterator[str]:
    """With what it is told and the files that it is given, each process starts, speaks by TLS and as itself."""
    for process in installation.processes():
        with tempfile.TemporaryDirectory() as scratch:
            for name, _, key in process.secret_files():
                text = (
                    "postgresql://crm@database/crm"
                    if key == "uri"
                    else "a secret that is long enough to be one"
                )
                Path(scratch, name).write_text(text)
            told = {
                name: value.replace(SECRETS, scratch, 1) if value.startswith(f"{SECRETS}/") else value
                for name, value in process.told.items()
            }
            try:
                settings = settings_of(process.service).from_env(process.name, told)
            except SettingsError as error:
                yield str(error)
                continue
            missing = [
                value for value in told.values() if value.startswith(scratch) and not Path(value).exists()
            ]
            yield from (f"{process.name} has no file {Path(value).name}" for value in missing)
        if {name: process.told.get(name) for name in LIBPQ} != LIBPQ:
            yield f"{process.name} does not verify its database's certificate"
        login = (settings.kafka_security, settings.kafka_username)
        if process.role == "bus" and login != ("SASL_SSL", username(process.service)):
            yield f"{process.name} does not log in to Kafka as {username(process.service)}"
        if process.role != "bus" and settings.kafka_password is not None:
            yield f"{process.name} has a login at the broker and nothing to say there"
        if installation.overlay == "production" and settings.environment != "production":
            yield f"{process.name} does not know that it is in production"


def names_lead_somewhere(installation: Installation) -> Iterator[str]:
    """Whatever is named exists: settings, accounts, secrets and their keys, targets, backends and ports."""
    secrets = _secrets(installation)
    for process in installation.processes():
        if not installation.has("ServiceAccount", process.pod["serviceAccountName"]):
            yield f"{process.name} has no account {process.pod['serviceAccountName']}"
        for container in process.containers:
            for source in container["envFrom"]:
                if not installation.has("ConfigMap", source["configMapRef"]["name"]):
                    yield f"{process.name} reads {source['configMapRef']['name']}, which does not exist"
        for _, secret, key in process.secret_files():
            if key not in secrets.get(secret, ()):
                yield f"{process.name} needs {key} of the Secret {secret}, which nobody makes"
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        for scaler in installation.of(kind):
            if not installation.has("Deployment", scaler["spec"]["scaleTargetRef"]["name"]):
                yield f"{kind} {scaler['metadata']['name']} scales nothing"
    for kind, selector in (("PodDisruptionBudget", "selector"), ("Service", "selector")):
        for resource in installation.of(kind):
            wanted = resource["spec"][selector]
            wanted = wanted if "matchLabels" in wanted else {"matchLabels": wanted}
            chosen = [p.name for p in installation.processes() if network.selects(wanted, p.labels)]
            if chosen != [resource["metadata"]["name"]]:
                yield f"{kind} {resource['metadata']['name']} is for {', '.join(chosen) or 'nobody'}"
    for service in installation.of("Service"):
        ports = _ports(installation.process(service["metadata"]["name"]))
        for port in service["spec"]["ports"]:
            if ports.get(port["targetPort"]) != port["port"]:
                yield f"Service {service['metadata']['name']} leads to {port['targetPort']}, which is no port there"
    for ingress in installation.of("Ingress"):
        for path in (path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            found = installation.find("Service", backend["name"])
            if found is None or backend["port"]["name"] not in {
                port["name"] for port in found["spec"]["ports"]
            }:
                yield f"the path {path['path']} leads to {backend['name']}, which does not exist"


def _secrets(installation: Installation) -> dict[str, set[str]]:
    """Every Secret that somebody will make, and the keys in it."""
    found: dict[str, set[str]] = {_BROKER_CA: {"ca.crt"}} if installation.has("Kafka", "crm") else {}
    for external in installation.of("ExternalSecret"):
        spec = external["spec"]
        keys = {entry["secretKey"] for entry in spec.get("data", [])}
        keys |= {
            change["regexp"]["target"]
            for entry in spec.get("dataFrom", [])
            for change in entry.get("rewrite", [])
        }
        found[external["metadata"]["name"]] = keys
    for cluster in installation.of("Cluster"):
        for suffix, keys in _DATABASE_SECRETS.items():
            found[f"{cluster['metadata']['name']}-{suffix}"] = keys
    return found | {user["metadata"]["name"]: _BROKER_SECRETS for user in installation.of("KafkaUser")}


def _ports(process: Process) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in process.container.get("ports", [])}


def pods_are_confined(installation: Installation) -> Iterator[str]:
    """No root, no capabilities, no writing, no token, limits, pinned images; the namespace refuses anything else."""
    for process in installation.processes():
        pod = process.pod
        account = installation.find("ServiceAccount", pod["serviceAccountName"]) or {}
        if pod.get("automountServiceAccountToken", True) or account.get("automountServiceAccountToken", True):
            yield f"{process.name} gets a token for Kubernetes"
        if pod.get("enableServiceLinks", True):
            yield f"{process.name} is told of every Service, under names that may be settings"
        security = pod.get("securityContext", {})
        if not security.get("runAsNonRoot") or security.get("runAsUser", 0) == 0:
            yield f"{process.name} may run as root"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{process.name} may call whatever the kernel offers"
        for container in process.containers:
            context = container.get("securityContext", {})
            wanted = {
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            }
            for key, value in wanted.items():
                if context.get(key) != value:
                    yield f"{process.name}: {key} of {container['name']} is {context.get(key)!r}, not {value!r}"
            resources = container.get("resources", {})
            if {"cpu", "memory"} - resources.get("requests", {}).keys() or "memory" not in resources.get(
                "limits", {}
            ):
                yield f"{process.name}: {container['name']} does not say what it needs"
            if not _VERSIONED.fullmatch(container["image"]):
                yield f"{process.name}: the image {container['image']} names no version"
    for namespace in installation.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"the namespace {namespace['metadata']['name']} lets pods do what they like"
    for resource in installation.resources:
        if resource["kind"] != "Namespace" and resource["metadata"].get("namespace") != network.NAMESPACE:
            yield f"{resource['kind']} {resource['metadata']['name']} is outside the namespace"


def processes_are_watched(installation: Installation) -> Iterator[str]:
    """Servers have the three probes, on the port that they are told; replicas are spread; and they end in peace."""
    for process in installation.processes():
        if process.role == "migrate":
            continue
        ports = _ports(process)
        for probe, path in PROBES.items():
            asked = process.container.get(probe, {}).get("httpGet", {})
            listens = process.told.get(_PORT_OF[process.role])
            if asked.get("path") != path or str(ports.get(asked.get("port"))) != listens:
                yield f"{process.name}: the {probe} asks {asked.get('path')} at {asked.get('port')}"
        spread = process.pod.get("topologySpreadConstraints", [])
        kinds = {
            one["topologyKey"] for one in spread if network.selects(one["labelSelector"], process.labels)
        }
        if kinds != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
            yield f"{process.name} is not spread over zones and machines"
        if process.pod.get("terminationGracePeriodSeconds", 0) < 25:
            yield f"{process.name} is killed before it has finished"
        if process.resource["spec"].get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{process.name} ends before its successor works"
        if "replicas" in process.resource["spec"]:
            yield f"{process.name} says how many there are, which is the autoscaler's to say"


def migrations_come_first(installation: Installation) -> Iterator[str]:
    """One Job migrates; every server waits for it, in the version that it brings."""
    jobs = {process.service: process for process in installation.processes() if process.role == "migrate"}
    for process in installation.processes():
        if process.role == "migrate":
            if not process.resource["spec"].get("ttlSecondsAfterFinished"):
                yield f"{process.name} stays, and the next version cannot be applied"
            continue
        waits = process.pod.get("initContainers", [])
        if [container["args"][:2] for container in waits] != [["migrate", "--wait"]]:
            yield f"{process.name} does not wait for its database"
        elif waits[0]["image"] != jobs[process.service].container["image"]:
            yield f"{process.name} waits for another version than {jobs[process.service].name} brings"


def bus_processes_scale(installation: Installation) -> Iterator[str]:
    """By their group's lag where the contracts say that they listen, by their outbox, no further than partitions."""
    catalog = Catalog.load()
    for process in installation.processes():
        scaled = installation.find("ScaledObject", process.name)
        if process.role != "bus" or scaled is None:
            continue
        triggers = scaled["spec"]["triggers"]
        groups = [one["metadata"]["consumerGroup"] for one in triggers if one["type"] == "kafka"]
        queries = [one["metadata"]["query"] for one in triggers if one["type"] == "prometheus"]
        topics = catalog.subscriptions(process.service)
        if groups != ([catalog.group(process.service)] if topics else []):
            yield f"{process.name} scales by the lag of {', '.join(groups) or 'nobody'}"
        if not any("crm_outbox_oldest_age_seconds" in query for query in queries):
            yield f"{process.name} does not scale by its outbox"
        yield from (
            f"{process.name} scales by {query}"
            for query in queries
            if f'{{service="{process.service}"}}' not in query
        )
        partitions = max((catalog.topics[name].partitions["production"] for name in topics), default=12)
        if scaled["spec"]["maxReplicaCount"] > partitions:
            yield f"{process.name} scales beyond the {partitions} partitions that it can read"


def edges_are_needed(installation: Installation) -> Iterator[str]:
    """The network lets through what settings and contracts need, and nothing else."""
    allowed, needed = network.allowed(installation), network.needed(installation)
    for source, target, port in sorted(allowed - needed):
        yield f"{source} may speak to {target} at {port}, and has no reason to"
    for source, target, port in sorted(needed - allowed):
        yield f"{source} cannot speak to {target} at {port}"


RULES: tuple[Rule, ...] = (
    every_service_runs,
    databases_are_backed_up,
    settings_are_known,
    settings_are_enough,
    names_lead_somewhere,
    pods_are_confined,
    processes_are_watched,
    migrations_come_first,
    bus_processes_scale,
    edges_are_needed,
)
