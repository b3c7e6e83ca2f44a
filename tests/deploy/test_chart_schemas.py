"""What the chart renders is what the API of Kubernetes, KEDA and the Prometheus operator take."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest
import yaml

from asr_server.places import ROOT
from tests.deploy.charts import CASES, releases, render

CHART = yaml.safe_load((ROOT / "deploy/triton-asr/Chart.yaml").read_text())
OLDEST, NEWEST = CHART["kubeVersion"].strip(">=").rpartition(".")[0], "1.37"
CUSTOM = ("ScaledObject", "ServiceMonitor", "PrometheusRule")


@pytest.mark.parametrize("name", CASES)
def test_helm_finds_nothing_to_say(name):
    assert render(CASES)[name]["problems"] == []


@pytest.mark.parametrize("name", CASES)
def test_manifests_are_valid(name):
    checked = 0
    for manifest in releases()[name].manifests:
        if manifest["kind"] not in CUSTOM:
            for version in (OLDEST, NEWEST):
                kubernetes_validate.validate(manifest, version, strict=True)
            checked += 1
    assert checked >= 5


def test_the_validator_sees_what_is_wrong():
    manifest = copy.deepcopy(releases()["cpu"].workload("gateway"))
    manifest["spec"]["template"]["spec"]["containers"][0]["port"] = []
    with pytest.raises(kubernetes_validate.ValidationError, match="port"):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


@pytest.fixture(scope="module")
def models():
    """Made of the operators' own definitions; imported here, since that takes seconds."""
    from cloudcoil.models.keda import v1alpha1 as keda
    from cloudcoil.models.prometheus_operator import v1 as prometheus

    found = (keda.ScaledObject, prometheus.ServiceMonitor, prometheus.PrometheusRule)
    return dict(zip(CUSTOM, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_custom_resources_are_valid(models, name):
    """Read by the models, nothing of them is lost."""
    for manifest in releases()[name].of_kind(*CUSTOM):
        read = models[manifest["kind"]].model_validate(manifest)
        written = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert written == manifest


def test_the_cases_have_custom_resources():
    kinds = {each["kind"] for release in releases().values() for each in release.of_kind(*CUSTOM)}
    assert kinds == set(CUSTOM)


REFUSED = {
    "existingSecret, with the entries keys and internal, or allowAnyone": {},
    "expected the image of the Dockerfile": {"triton": {"gpus": 1}},
    "models.volume.claim": {"models": {"source": "volume"}},
    "models.image.repository": {"models": {"source": "image"}},
    "monitoring.prometheusUrl": {"gateway": {"autoscaling": {"kind": "keda"}}},
    "gateway.ingress.host": {"gateway": {"ingress": {"enabled": True}}},
    "replica": {"gateway": {"replica": 3}},
    "gpus": {"triton": {"gpus": "two"}},
    "/models/install/0/kind": {"models": {"install": [{"kind": "whisper"}]}},
    "size": {"models": {"storage": {"size": "much"}}},
    "/models/install/0/from": {"models": {"install": [{"kind": "vad", "from": "--help"}]}},
    "expected each kind once, got vad twice": {
        "models": {"install": [{"kind": "vad"}, {"kind": "vad", "from": "fsmn-vad"}]}
    },
    "expected paraformer-online, which the gateways need": {
        "models": {"install": [{"kind": "sensevoice"}, {"kind": "vad"}]}
    },
    "expected punctuation, which the gateways need": {
        "gateway": {"model": "paraformer", "options": ["--service=offline"]},
        "models": {"install": [{"kind": "paraformer"}, {"kind": "vad"}]},
    },
    "triton.autoscaling.minReplicas: expected at most maxReplicas, 4, got 5": {
        "triton": {"autoscaling": {"kind": "hpa", "minReplicas": 5}}
    },
    "/monitoring/prometheusUrl": {"monitoring": {"prometheusUrl": "prometheus:9090"}},
    "/podDisruptionBudget/maxUnavailable": {"podDisruptionBudget": {"maxUnavailable": 0}},
    "/gateway/ingress/host": {"gateway": {"ingress": {"host": "https://speech.example.org"}}},
    "/networkPolicy/hubPorts": {"networkPolicy": {"hubPorts": []}},
}


@pytest.mark.parametrize("words", REFUSED)
def test_values_that_make_no_sense_are_refused_by_name(words):
    cases = {
        name: values if name == next(iter(REFUSED)) else {"auth": {"allowAnyone": True}, **values}
        for name, values in REFUSED.items()
    }
    answer = render(cases)[words]
    assert words in answer["error"]
