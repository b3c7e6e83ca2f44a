"""What the chart's parts say of each other fits, and what they start is started so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from asr_contract import traces_endpoint
from asr_gateway.service import server
from asr_gateway.service.options import gateway_parser
from asr_server.commands.serve_options import parser as serve_parser
from asr_server.models import KINDS
from asr_server.places import ROOT
from asr_server.run.triton_part import TritonPart
from tests.deploy.charts import CASES, OPEN, Release, containers, releases, render
from tests.run.test_deployment import check_serve

PROJECT = (ROOT / "pyproject.toml").read_text()
VERSION = re.search(r'^version = "(.+)"$', PROJECT, re.M)[1]


@pytest.fixture(params=CASES)
def release(request) -> Release:
    return releases()[request.param]


def test_the_chart_is_of_this_version():
    chart = yaml.safe_load((ROOT / "deploy/triton-asr/Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION


def test_every_kind_of_model_can_be_installed():
    schema = (ROOT / "deploy/triton-asr/values.schema.json").read_text()
    (kinds,) = re.findall(r'"kind":\s*\{\s*"enum":\s*(\[[^]]*"vad"[^]]*\])', schema)
    assert json.loads(kinds) == list(KINDS)


def test_the_gateway_takes_its_command_line(release):
    words = release.words("gateway")
    assert words[0] == "triton-asr-gateway"
    options = gateway_parser().parse_args(words[1:])
    (service,) = [
        each
        for each in release.of_kind("Service")
        if each["metadata"]["name"] == options.triton.split("//")[1].split(":")[0]
    ]
    assert service["metadata"]["labels"]["app.kubernetes.io/component"] == "triton"
    assert service["spec"]["clusterIP"] == "None"  # the gateway chooses among the pods itself
    assert options.no_api_key != bool(options.api_key_file)


def test_serve_takes_its_command_line(release):
    words = release.words("triton")
    check_serve(words)
    for service in release.of_kind("Service"):
        if service["spec"]["selector"]["app.kubernetes.io/component"] == "triton":
            name = service["metadata"]["name"]
            assert {f"--allowed-host={name}", f"--allowed-host={name}.speech.svc"} <= {*words}


def test_nothing_runs_as_root_or_writes_elsewhere(release):
    for pod, container in containers(release):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"]
        assert not pod["automountServiceAccountToken"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {
            claim["metadata"]["name"]
            for claim in release.workload("triton")["spec"].get("volumeClaimTemplates", [])
        }
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        assert container["resources"]["limits"]["memory"]


def test_what_stops_gets_the_time_it_takes(release):
    pod = release.pod("gateway")
    options = gateway_parser().parse_args(release.words("gateway")[1:])
    pause_s = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    needed_s = pause_s + options.drain_s + options.shutdown_grace + server._CLOSING_S
    assert pod["terminationGracePeriodSeconds"] > needed_s
    serving = serve_parser(None, None).parse_args(release.words("triton")[2:])
    needed_s = serving.drain_s + 2 * TritonPart.stop_timeout_s
    assert release.pod("triton")["terminationGracePeriodSeconds"] > needed_s


def test_probes_ask_ports_that_are_open(release):
    for part in ("gateway", "triton"):
        (container,) = release.pod(part)["containers"]
        ports = {port["name"] for port in container["ports"]}
        for name in ("readinessProbe", "livenessProbe"):
            probe = container[name]
            assert (probe.get("httpGet") or probe["tcpSocket"])["port"] in ports
    start = release.pod("triton")["containers"][0]["startupProbe"]
    assert start["failureThreshold"] * start["periodSeconds"] >= 900


def selected(release: Release, labels: dict[str, str]) -> list[str]:
    """The parts whose pods have all of these labels."""
    return [
        each["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in release.of_kind("Deployment", "StatefulSet")
        if labels.items() <= each["spec"]["template"]["metadata"]["labels"].items()
    ]


def test_selectors_find_one_part_each(release):
    for manifest in release.manifests:
        spec = manifest.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector")
        if selector is None or manifest["kind"] == "ServiceMonitor":
            continue  # selects nothing, or services
        own = manifest["metadata"]["labels"]["app.kubernetes.io/component"]
        assert selected(release, selector.get("matchLabels", selector)) == [own]


def test_services_lead_to_ports_that_are_there(release):
    for service in release.of_kind("Service"):
        part = service["metadata"]["labels"]["app.kubernetes.io/component"]
        ports = {port["name"] for port in release.pod(part)["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    names = {service["metadata"]["name"] for service in release.of_kind("Service")}
    assert release.workload("triton")["spec"]["serviceName"] in names


def test_monitors_find_one_service_each(release):
    services = release.of_kind("Service")
    for monitor in release.of_kind("ServiceMonitor"):
        labels = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [each for each in services if labels <= each["metadata"]["labels"].items()]
        ports = {port["name"] for port in service["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports


def test_what_scales_exists_and_has_no_fixed_number(release):
    for scaler in release.of_kind("ScaledObject", "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        (found,) = [
            each
            for each in release.of_kind(target["kind"])
            if each["metadata"]["name"] == target["name"]
        ]
        assert "replicas" not in found["spec"]


def test_what_it_scales_by_is_documented(release):
    page = (ROOT / "docs/metrics.md").read_text()
    for scaler in release.of_kind("ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            metric = re.match(r"sum\((\w+)\{", trigger["metadata"]["query"])[1]
            assert f"| `{metric}` |" in page
    for scaler in release.of_kind("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            assert f"| `{metric['pods']['metric']['name']}` |" in page


def limits(release: Release, part: str) -> dict[str, object]:
    return release.pod(part)["containers"][0]["resources"]["limits"]


@pytest.mark.parametrize("name", CASES)
def test_traces_reach_the_collector(name):
    release, wanted = releases()[name], CASES[name].get("monitoring", {}).get("traces")
    for component in ("gateway", "triton"):
        (container,) = release.pod(component)["containers"]
        environment = {each["name"]: each.get("value", "") for each in container["env"]}
        endpoint = traces_endpoint(environment)
        if wanted is None:
            assert endpoint is None
            continue
        assert endpoint == f"{wanted['endpoint']}/v1/traces"
        assert float(environment["OTEL_TRACES_SAMPLER_ARG"]) == wanted["share"]
        (policy,) = [
            each["spec"]
            for each in release.of_kind("NetworkPolicy")
            if each["metadata"]["name"].endswith(f"-{component}")
        ]
        assert {"port": 4318} in [port for rule in policy["egress"] for port in rule["ports"]]


def hub_ports(release: Release) -> set[object]:
    """The ports that Triton's pods may reach anywhere, but for names'."""
    (policy,) = [
        each["spec"]
        for each in release.of_kind("NetworkPolicy")
        if each["metadata"]["name"].endswith("-triton")
    ]
    anywhere = [rule["ports"] for rule in policy["egress"] if "to" not in rule]
    return {port["port"] for ports in anywhere for port in ports} - {53}


def test_what_is_installed_comes_in_by_the_ports_of_hubs_or_of_a_proxy():
    assert hub_ports(releases()["cpu"]) == {443}
    assert hub_ports(releases()["one gpu"]) == {3128}
    assert hub_ports(releases()["many gpus"]) == set()  # which has its models on a volume


def test_gpus_are_asked_for():
    found = releases()
    for name, count in {"cpu": None, "one gpu": 1, "many gpus": 4}.items():
        assert limits(found[name], "triton").get("nvidia.com/gpu") == count
        assert "nvidia.com/gpu" not in limits(found[name], "gateway")


def test_keys_come_from_the_secret_only():
    release = releases()["one gpu"]
    for part in ("gateway", "triton"):
        assert not any("no-api-key" in word for word in release.words(part))
        (key,) = [
            each
            for each in release.pod(part)["containers"][0]["env"]
            if each["name"] == "TRITON_ASR_API_KEY"
        ]
        assert key["valueFrom"]["secretKeyRef"] == {"name": "asr-keys", "key": "internal"}
    assert release.of_kind("Secret") == []


def install_script(**order: object) -> list[str]:
    """The init container's words, for an order of one model beside another."""
    install = [{"kind": "sensevoice"}, order]
    options = ["--service=offline"]
    values = {"auth": OPEN, "gateway": {"options": options}, "models": {"install": install}}
    release = Release(render({"it": values})["it"]["templates"])
    (container,) = release.pod("triton")["initContainers"]
    return [*container["command"], *container["args"]]


def test_the_init_container_installs_a_model_once(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TRITON_ASR_HOME": str(tmp_path)}

    def run() -> str:
        return subprocess.run(
            install_script(kind="vad"),
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        ).stdout

    assert "vad" in run()
    assert (tmp_path / "model_repo_auxiliary/vad_encoder/1/model.onnx").is_file()
    assert run() == ""


def test_another_order_is_another_installation():
    def recorded(**order: object) -> set[str]:
        return set(re.findall(r"[0-9a-f]{64}", install_script(**order)[-1]))

    orders = [recorded(kind="vad"), recorded(kind="vad", **{"from": "fsmn-vad"})]
    assert len(orders[0]) == 2 and len(orders[0] & orders[1]) == 1


def test_the_image_has_what_its_build_names():
    lines = (ROOT / "deploy/cpu.Dockerfile").read_text().splitlines()
    copied = {word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    ignored = (ROOT / "deploy/cpu.Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*"
    through = {line[1:] for line in ignored if line.startswith("!") and "*" not in line}
    assert copied == through and all((ROOT / name).exists() for name in copied)
    (extras,) = re.findall(r'"\.\[(.+)\]"', "\n".join(lines))
    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", PROJECT, re.M)
    (wheel,) = re.findall(r"targets\.wheel\]\nonly-include = \[(.*?)\]", PROJECT, re.S)
    assert {path.split("/")[0] for path in re.findall(r'"(.+)"', wheel)} <= copied
