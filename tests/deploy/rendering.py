"""Renders and lints the chart with Helm's own code: `python -m tests.deploy.rendering`.

Standard input is a JSON object: name → values. Standard output: name → `{"templates": {path: text},
"problems": [...]}` or `{"error": text}`. A process of its own, as Helm brings Go's runtime along.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python

from asr_server.places import ROOT

CHART = ROOT / "deploy" / "triton-asr"
RELEASE, NAMESPACE = "asr", "speech"
WARNING = 2  # Helm's number for it; below is advice


def rendered(values: dict[str, Any]) -> dict[str, Any]:
    """Return what `helm template` and `helm lint --strict` say."""
    try:
        with helm_python.Chart.load(CHART) as chart:
            chart.validate_schema(values)
            templates = chart.render(values, name=RELEASE, namespace=NAMESPACE)
        report = helm_python.lint(CHART, values, strict=True, namespace=NAMESPACE)
    except helm_python.HelmError as error:
        return {"error": str(error)}
    problems = [entry for entry in report["messages"] if entry["severity"] >= WARNING]
    return {"templates": templates, "problems": [*problems, *report["errors"]]}


if __name__ == "__main__":
    json.dump({name: rendered(values) for name, values in json.load(sys.stdin).items()}, sys.stdout)
