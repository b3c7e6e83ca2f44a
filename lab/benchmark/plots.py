"""Plots of the figures, from the JSON files that the measurements wrote."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display
import matplotlib.pyplot as plt


def plot_offline(results: Mapping[str, Any], target: Path) -> None:
    """Draw each contestant's wall time over the bare session's, a panel for each model.

    Args:
        results: by model, as `OfflineResult` in JSON.
        target: a picture file.
    """
    figure, axes = plt.subplots(len(results), 1, figsize=(8, 3.5 * len(results)), squeeze=False)
    for panel, (model, result) in zip(axes[:, 0], results.items(), strict=True):
        (bare,) = result["rounds"]["bare"].values()
        bars = {
            f"{name} x {calls}": statistics.median(
                one["wall_s"] / other["wall_s"] for one, other in zip(rounds, bare, strict=True)
            )
            for name, by_calls in result["rounds"].items()
            for calls, rounds in by_calls.items()
        }
        panel.barh([*bars], [*bars.values()])
        panel.axvline(1, color="black", linewidth=0.8)
        panel.invert_yaxis()
        panel.set_title(f"{model}, {result['precision']}: wall time ÷ bare session")
    _save(figure, target)


def plot_streaming(results: Mapping[str, Any], target: Path) -> None:
    """Draw the 95th percentile of the latency over the number of streams.

    Args:
        results: by model, as `StreamingResult` in JSON.
        target: a picture file.
    """
    figure, axes = plt.subplots(len(results), 1, figsize=(8, 4 * len(results)), squeeze=False)
    for panel, (model, result) in zip(axes[:, 0], results.items(), strict=True):
        for name, loads in (("server", result["loads"]), ("sherpa-onnx", result["sherpa"])):
            if loads:
                streams = [load["streams"] for load in loads]
                panel.plot(streams, [load["p95_s"] * 1e3 for load in loads], "o-", label=name)
        panel.axhline(600, color="black", linewidth=0.8)
        panel.set(title=model, xlabel="real-time streams", ylabel="p95 latency, ms")
        panel.legend()
    _save(figure, target)


def _save(figure: Any, target: Path) -> None:
    figure.tight_layout()
    figure.savefig(target, dpi=110)
    plt.close(figure)
