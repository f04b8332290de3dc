"""Who may speak to whom: what the NetworkPolicies allow, against what settings and contracts need.

Both are sets of edges between kinds of pods, compared exactly: an edge too many is as wrong as one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from deploy.k8s.manifests import Installation, Process, Resource
from shared.contracts.catalog import Catalog
from shared.messaging.principals import rights_of

__all__ = ["Edge", "allowed", "needed", "selects"]

NAMESPACE = "crm"
API, HEALTH, DATABASE, BROKER = 8000, 9000, 5432, 9093
DNS, TRACES, DATABASE_FIGURES = 53, 4318, 9187
# Kubernetes, and the store of backups: reached wherever they are.
ANYWHERE = (443, 6443)
# What the parts of a database cluster, and those of a broker cluster, say to each other.
DATABASE_INSIDE, BROKER_INSIDE = (DATABASE, API), (9090, 9091)

Edge = tuple[str, str, int]
"""Who speaks to whom, on which port."""


@dataclass(frozen=True)
class Peer:
    """A kind of pod."""

    name: str
    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)


# Who lives in other namespaces; `stranger` is anybody else.
_OUTSIDE = tuple(
    Peer(name, namespace, labels)
    for name, namespace, labels in (
        ("people", "traefik", {}),
        ("prometheus", "monitoring", {}),
        ("collector", "observability", {}),
        ("keda", "keda", {}),
        ("database-operator", "cnpg-system", {}),
        ("names", "kube-system", {"k8s-app": "kube-dns"}),
        ("stranger", "default", {}),
    )
)
_BROKERS = Peer("kafka", NAMESPACE, {"strimzi.io/cluster": "crm", "strimzi.io/name": "crm-kafka"})


def selects(selector: Resource, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    plain: Mapping[str, str] = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in plain.items()) and all(
        _holds(expression, labels) for expression in selector.get("matchExpressions", [])
    )


def _holds(expression: Resource, labels: Mapping[str, str]) -> bool:
    given = labels.get(expression["key"]) in expression["values"]
    match expression["operator"]:
        case "In":
            return given
        case "NotIn":
            return not given
        case unknown:
            raise ValueError(f"the checks do not know the operator {unknown}")


def allowed(installation: Installation) -> set[Edge]:
    """Every edge that the policies let through, on the ports that they or the needs name."""
    policies = [*installation.of("NetworkPolicy"), *_of_the_broker(installation)]
    peers = _peers(installation)
    ports = sorted({port for _, _, port in needed(installation)} | _named_ports(policies))
    may_send = {peer.name: _rules(policies, peer, "Egress") for peer in peers}
    may_take = {peer.name: _rules(policies, peer, "Ingress") for peer in peers}
    return {
        (source.name, target.name, port)
        for source in peers
        for target in peers
        for port in ports
        if NAMESPACE in (source.namespace, target.namespace)
        and _passes(may_send[source.name], target, port, "to")
        and _passes(may_take[target.name], source, port, "from")
    }


def _peers(installation: Installation) -> list[Peer]:
    processes = [Peer(process.name, NAMESPACE, process.labels) for process in installation.processes()]
    databases = [
        Peer(name, NAMESPACE, {"cnpg.io/cluster": name})
        for name in (cluster["metadata"]["name"] for cluster in installation.of("Cluster"))
    ]
    return [*processes, *databases, _BROKERS, *_OUTSIDE]


def _of_the_broker(installation: Installation) -> Iterator[Resource]:
    """The rules that the broker's operator makes of the peers of each listener."""
    for kafka in installation.of("Kafka"):
        for listener in kafka["spec"]["kafka"]["listeners"]:
            # Without peers it lets everybody in.
            rule = {"ports": [{"port": listener["port"]}]}
            if "networkPolicyPeers" in listener:
                rule["from"] = listener["networkPolicyPeers"]
            inside = {
                "from": [{"podSelector": {"matchLabels": {"strimzi.io/cluster": "crm"}}}],
                "ports": [{"port": port} for port in BROKER_INSIDE],
            }
            yield {
                "metadata": {"namespace": NAMESPACE},
                "spec": {
                    "podSelector": {"matchLabels": {"strimzi.io/name": "crm-kafka"}},
                    "policyTypes": ["Ingress"],
                    "ingress": [rule, inside],
                },
            }


def _named_ports(policies: list[Resource]) -> set[int]:
    return {
        port["port"]
        for policy in policies
        for direction in ("ingress", "egress")
        for rule in policy["spec"].get(direction, [])
        for port in rule.get("ports", [])
    }


def _rules(policies: list[Resource], peer: Peer, direction: str) -> list[Resource] | None:
    """The rules for what `peer` may send or take; None when nothing limits it."""
    concerning = [
        policy
        for policy in policies
        if peer.namespace == policy["metadata"]["namespace"]
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], peer.labels)
    ]
    if not concerning:
        return None
    return [rule for policy in concerning for rule in policy["spec"].get(direction.lower(), [])]


def _passes(rules: list[Resource] | None, other: Peer, port: int, side: str) -> bool:
    if rules is None:
        return True
    return any(
        ("ports" not in rule or port in {named["port"] for named in rule["ports"]})
        and (side not in rule or any(_is(peer, other) for peer in rule[side]))
        for rule in rules
    )


def _is(peer: Resource, other: Peer) -> bool:
    if "namespaceSelector" in peer:
        in_place = selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": other.namespace})
    else:
        in_place = other.namespace == NAMESPACE
    return in_place and selects(peer.get("podSelector", {}), other.labels)


def needed(installation: Installation) -> set[Edge]:
    """Every edge that the processes' settings, the contracts, the ingress, the monitors and the operators need."""
    edges = {
        edge for process in installation.processes() for edge in _of_process(process, installation)
    } | set(_of_the_operators(installation))
    for ingress in installation.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            edges |= {("people", path["backend"]["service"]["name"], API) for path in rule["http"]["paths"]}
    for monitor in installation.of("PodMonitor"):
        edges |= {
            ("prometheus", process.name, HEALTH)
            for process in installation.processes()
            if selects(monitor["spec"]["selector"], process.labels)
        }
    if any(
        trigger["type"] == "kafka"
        for scaled in installation.of("ScaledObject")
        for trigger in scaled["spec"]["triggers"]
    ):
        edges.add(("keda", _BROKERS.name, BROKER))
    return edges | {(peer.name, "names", DNS) for peer in _peers(installation) if peer.namespace == NAMESPACE}


def _of_process(process: Process, installation: Installation) -> Iterator[Edge]:
    yield process.name, f"{process.service}-database", DATABASE
    if process.role in ("web", "bus") and "CRM_OTLP_ENDPOINT" in process.told:
        yield process.name, "collector", _port(process.told["CRM_OTLP_ENDPOINT"])
    if process.role == "web":
        # The addresses of other processes of the suite; the others are for people's browsers.
        inside = {other.name for other in installation.processes()}
        for value in process.told.values():
            host = urlsplit(value).hostname
            if host in inside:
                yield process.name, host, _port(value)
    if process.role == "bus" and rights_of(process.service, Catalog.load()):
        yield process.name, _BROKERS.name, _port(f"//{process.told['CRM_KAFKA_BOOTSTRAP']}")


def _port(url: str) -> int:
    port = urlsplit(url).port
    if port is None:
        raise ValueError(f"{url} names no port")
    return port


def _of_the_operators(installation: Installation) -> Iterator[Edge]:
    for cluster in installation.of("Cluster"):
        name = cluster["metadata"]["name"]
        for port in DATABASE_INSIDE:
            yield name, name, port
            yield "database-operator", name, port
        yield "prometheus", name, DATABASE_FIGURES
        yield from ((name, outside.name, port) for outside in _OUTSIDE for port in ANYWHERE)
    yield from ((_BROKERS.name, outside.name, port) for outside in _OUTSIDE for port in ANYWHERE)
    yield from ((_BROKERS.name, _BROKERS.name, port) for port in BROKER_INSIDE)
