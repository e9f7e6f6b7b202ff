"""The manifests: they agree with each other, with their configuration and with the product."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_host.cli.main import parser
from sentinel_host.control.token import ENVIRONMENT
from sentinel_host.hotload.cache import MAX_BYTES
from tests.deploy.examples import DEPLOY, IMAGE, block_of, configuration, ports, served, stop_time
from tests.support.clients import fetch

OBJECTS = {each["kind"]: each for each in yaml.safe_load_all((DEPLOY / "kubernetes" / "sentinel.yaml").read_text())}
CONFIGURATION = OBJECTS["ConfigMap"]["data"]["sentinel.toml"]
POD = OBJECTS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_the_objects_are_those_of_their_apis() -> None:
    versions = {
        "ConfigMap": "v1",
        "Deployment": "apps/v1",
        "PodDisruptionBudget": "policy/v1",
        "Service": "v1",
    }
    assert {kind: each["apiVersion"] for kind, each in OBJECTS.items()} == versions
    assert {each["metadata"]["name"] for each in OBJECTS.values()} == {"sentinel"}


def test_everything_selects_the_pods_of_the_deployment() -> None:
    labels = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert OBJECTS["Service"]["spec"]["selector"] == labels
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert OBJECTS[kind]["spec"]["selector"]["matchLabels"] == labels
    (spread,) = POD["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    assert OBJECTS["PodDisruptionBudget"]["spec"]["minAvailable"] < OBJECTS["Deployment"]["spec"]["replicas"]


def test_the_container_agrees_with_its_configuration() -> None:
    config = configuration(CONFIGURATION)
    named = {each["name"]: each["containerPort"] for each in CONTAINER["ports"]}
    assert set(named.values()) == ports(config)
    assert OBJECTS["Service"]["spec"]["ports"][0]["targetPort"] in named
    annotations = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(named["admin"])
    assert POD["terminationGracePeriodSeconds"] > stop_time(config)
    # The Service has to hear of it before connections are refused.
    readiness = CONTAINER["readinessProbe"]
    assert config.server.lame_duck > readiness["periodSeconds"] * readiness["failureThreshold"]
    assert CONTAINER["image"] == IMAGE
    mounts = {each["mountPath"]: each for each in CONTAINER["volumeMounts"]}
    assert {each["name"] for each in mounts.values()} == {each["name"] for each in POD["volumes"]}
    file = Path(parser().parse_args(CONTAINER["args"]).config)
    assert mounts[str(file.parent)]["name"] == "config"
    assert file.name in OBJECTS["ConfigMap"]["data"]
    assert mounts[config.guests.directory]["name"] == "guests"
    # A file that is mounted by itself does not change with its ConfigMap.
    assert not any("subPath" in each for each in mounts.values())
    # A pod whose emptyDir grows beyond its limit is evicted; the cache evicts before.
    (cache,) = (each["emptyDir"] for each in POD["volumes"] if each["name"] == "cache")
    assert int(cache["sizeLimit"].removesuffix("Mi")) << 20 > MAX_BYTES
    (variable,) = CONTAINER["env"]
    assert variable["name"] == ENVIRONMENT


def test_the_pod_has_no_rights() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    assert f"USER {POD['securityContext']['runAsUser']}:{POD['securityContext']['runAsGroup']}\n" in dockerfile
    (cache,) = (each["mountPath"] for each in CONTAINER["volumeMounts"] if not each.get("readOnly"))
    assert f"XDG_CACHE_HOME={cache}\n" in dockerfile


def test_the_page_shows_the_configuration_that_is_used() -> None:
    assert block_of("kubernetes.md") == CONFIGURATION


def test_the_probes_are_answered_by_a_gateway_of_this_configuration(
    tmp_path: Path, standard_guests: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes: dict[str, dict[str, Any]] = {
        name: CONTAINER[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    assert {each["port"] for each in probes.values()} == {"admin"}
    with served(CONFIGURATION, tmp_path, standard_guests, monkeypatch) as gateway:
        answers = {name: fetch(gateway.admin, each["path"]).status for name, each in probes.items()}
        assert answers == dict.fromkeys(probes, 200)
        metrics = OBJECTS["Deployment"]["spec"]["template"]["metadata"]["annotations"]["prometheus.io/path"]
        assert fetch(gateway.admin, metrics).status == 200
        gateway.process.terminate()
        gateway.wait(lambda: fetch(gateway.admin, probes["readiness"]["path"]).status == 503, "lame duck")
        assert fetch(gateway.admin, probes["liveness"]["path"]).status == 200
