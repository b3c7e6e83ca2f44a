"""Alert rules and board: `promtool` takes each expression, and each metric is documented."""

from __future__ import annotations

import json
import re
import subprocess

import yaml

from asr_server.places import ROOT
from tests.deploy.charts import releases

ALERTS = ROOT / "deploy/triton-asr/files/alerts.yaml"
BOARD = json.loads((ROOT / "deploy/triton-asr/files/board.json").read_text())
TESTS = ROOT / "tests/deploy/alerts.yaml"
PAGE = (ROOT / "docs/metrics.md").read_text()
DOCUMENTED = set(re.findall(r"^\| `(\w+)` \| (?:gauge|counter|histogram) \|", PAGE, re.M))
METRIC = re.compile(r"\b(?:asr|nv|process)_\w+")
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
BOARD_QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
PAGE_QUERIES = [
    query
    for row in PAGE.partition("## What an operator asks")[2].partition("## Board")[0].splitlines()
    if row.startswith("| ")
    for query in re.findall(r"`(.+?)`", row)
]


def promtool(*words: object) -> str:
    """What `promtool` says; it has to be content."""
    command = ["promtool", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return group["rules"]


def test_rules_are_valid():
    assert f"{len(rules())} rules found" in promtool("check", "rules", ALERTS)


def test_each_alert_fires_when_it_should_and_only_then():
    promtool("test", "rules", TESTS)
    fires: dict[str, set[bool]] = {}
    for case in yaml.safe_load(TESTS.read_text())["tests"]:
        for check in case["alert_rule_test"]:
            fires.setdefault(check["alertname"], set()).add(bool(check["exp_alerts"]))
    assert fires == {rule["alert"]: {True, False} for rule in rules()}


def test_queries_of_board_and_page_are_valid(tmp_path):
    queries = [*BOARD_QUERIES, *PAGE_QUERIES]
    recorded = [
        {"record": f"query:{index}", "expr": query.replace("$__rate_interval", "5m")}
        for index, query in enumerate(queries)
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    assert f"{len(queries)} rules found" in promtool("check", "rules", file)


def test_all_ask_for_metrics_that_are_there():
    """What is documented is served: `tests/gateway/test_metrics.py`."""
    known = DOCUMENTED | {"process_cpu_seconds_total", "process_resident_memory_bytes"}
    known |= {"process_start_time_seconds"}
    for query in [*BOARD_QUERIES, *PAGE_QUERIES, *(rule["expr"] for rule in rules())]:
        named = {re.sub(r"_bucket$", "", name) for name in METRIC.findall(query)}
        assert named and named <= known, query


def test_the_board_shows_each_metric():
    shown = {re.sub(r"_bucket$", "", name) for q in BOARD_QUERIES for name in METRIC.findall(q)}
    assert DOCUMENTED - shown == {"asr_gateway_partial_latency_seconds"}


def test_panels_have_places_of_their_own():
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24 and not cells & taken
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}"


def test_the_chart_brings_both_unchanged():
    release = releases()["one gpu"]
    (rule,) = release.of_kind("PrometheusRule")
    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())
    (config,) = release.of_kind("ConfigMap")
    assert json.loads(config["data"]["triton-asr.json"]) == BOARD
