"""The chart as a user gets it: for a CPU, one GPU, many; and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from asr_server.places import ROOT

Manifest = dict[str, Any]

KEYS = {"existingSecret": "asr-keys"}
OPEN = {"allowAnyone": True}
GPU_IMAGE = {"repository": "registry.example/triton-asr"}
CASES: dict[str, Manifest] = {
    "cpu": {"auth": OPEN},
    "one gpu": {
        "auth": KEYS,
        "gateway": {
            "tls": {"existingSecret": "asr-tls"},
            "autoscaling": {"kind": "keda"},
            "options": ["--model-alias=mine=sensevoice"],
        },
        "triton": {"gpus": 1, "image": GPU_IMAGE, "runtimeClassName": "nvidia"},
        "models": {
            "install": [
                {"kind": "sensevoice", "from": "iic/SenseVoiceSmall", "options": ["--device=gpu"]},
                {"kind": "paraformer-online", "from": "paraformer-zh-streaming"},
                {"kind": "vad", "from": "fsmn-vad"},
            ],
            "storage": {"size": "20Gi"},
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
        },
        "networkPolicy": {
            "hubPorts": [3128],
            "clients": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "tritonClients": [{"podSelector": {"matchLabels": {"app": "batch"}}}],
        },
        "monitoring": {
            "serviceMonitor": True,
            "rules": True,
            "dashboard": True,
            "labels": {"release": "prometheus"},
            "prometheusUrl": "http://prometheus.monitoring:9090",
            "traces": {"endpoint": "http://otel-collector.monitoring:4318", "share": 0.1},
        },
    },
    "many gpus": {
        "auth": KEYS,
        "gateway": {
            "replicas": 6,
            "model": "paraformer",
            "drainSeconds": 300,
            "ingress": {
                "enabled": True,
                "className": "nginx",
                "host": "speech.example.org",
                "tlsSecret": "speech-tls",
            },
            "autoscaling": {"kind": "hpa", "minReplicas": 6, "maxReplicas": 40},
        },
        "triton": {
            "replicas": 8,
            "gpus": 4,
            "image": GPU_IMAGE,
            "nodeSelector": {"nvidia.com/gpu.product": "H100"},
            "autoscaling": {"kind": "keda", "maxReplicas": 16},
        },
        "models": {"source": "volume", "volume": {"claim": "models", "subPath": "speech"}},
        "monitoring": {"serviceMonitor": True, "prometheusUrl": "http://prometheus:9090"},
    },
    "models of an image": {
        "auth": OPEN,
        "models": {"source": "image", "image": {"repository": "registry.example/models"}},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
    },
}


@cache
def _rendered(cases: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.deploy.rendering"],
        input=cases,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def render(cases: Mapping[str, Manifest]) -> dict[str, Any]:
    """As `rendering`, for each of some values."""
    return _rendered(json.dumps(cases))


class Release:
    """The manifests of one rendering."""

    def __init__(self, templates: Mapping[str, str]) -> None:
        self.manifests: list[Manifest] = [
            document
            for text in templates.values()
            for document in yaml.safe_load_all(text)
            if document
        ]

    def of_kind(self, *kinds: str) -> list[Manifest]:
        """Those of some kinds."""
        return [each for each in self.manifests if each["kind"] in kinds]

    def workload(self, component: str) -> Manifest:
        """The Deployment or StatefulSet of a part."""
        (found,) = [
            each
            for each in self.of_kind("Deployment", "StatefulSet")
            if each["metadata"]["name"].endswith(component)
        ]
        return found

    def pod(self, component: str) -> Manifest:
        """The pods' specification of a part."""
        return self.workload(component)["spec"]["template"]["spec"]

    def words(self, component: str) -> list[str]:
        """The command line of a part."""
        (container,) = self.pod(component)["containers"]
        return [*container["command"], *container["args"]]


@cache
def releases() -> dict[str, Release]:
    """All cases, rendered."""
    return {name: Release(found["templates"]) for name, found in render(CASES).items()}


def containers(release: Release) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield each container with its pod's specification."""
    for workload in release.of_kind("Deployment", "StatefulSet"):
        pod = workload["spec"]["template"]["spec"]
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            yield pod, container
