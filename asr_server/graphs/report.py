"""What a preparation found, changed and proved; also stored in the prepared file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from onnx import ModelProto

from asr_server.graphs.tensors import Tensor
from asr_server.graphs.warm_up import WarmUpInput
from asr_server.models.names import (
    Device,
    ExportedPrecision,
    GraphKind,
    OnnxRuntime,
)

TAKES_HOTWORDS: frozenset[GraphKind] = frozenset({"contextual_paraformer", "seaco_paraformer"})

PREPARED_BY = "triton-asr prepare_onnx"
_PREFIX = "asr."


@dataclass(frozen=True)
class Report:
    """Result of a preparation.

    Attributes:
        kind: architecture; `bicif_paraformer` is a Paraformer that gives timestamps,
            `contextual_paraformer` one that takes hotwords, `seaco_paraformer` does both; the
            streaming Paraformer consists of two graphs.
        precision: "int8" stands for dynamic int8.
        row_by_row: the graph runs its rows one after the other, each at its true length (dynamic
            int8, and graphs without the expected patterns); else all at once, masked. Either way
            a row's answer is independent of padding and of the batch it is in.
        source_sha256: of the file it was made from.
        edits: how often each edit was made.
        figures: largest deviations and counts of the proof.
        mask_table_frames: the limit that an older exporter's mask table set, None where there was
            none. With the masks rewritten the prepared file is free of it.
        messages: what a user should know, whole sentences.
        device: what it was prepared for.
        onnxruntime: the oldest that reads it.
        warm_up: inputs of a run before it serves.
        tensors: that the configuration leaves to the graph, by "input" and "output" and by name.
    """

    kind: GraphKind
    precision: ExportedPrecision
    row_by_row: bool
    source_sha256: str
    edits: Mapping[str, int] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    mask_table_frames: int | None = None
    messages: tuple[str, ...] = ()
    device: Device = "cpu"
    onnxruntime: OnnxRuntime = "1.19"
    warm_up: Mapping[str, WarmUpInput] = field(default_factory=dict)
    tensors: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


def metadata(report: Report) -> dict[str, str]:
    """Return the report as key and value strings for `ModelProto.metadata_props`."""
    entries = {
        "prepared_by": PREPARED_BY,
        "kind": report.kind,
        "precision": report.precision,
        "device": report.device,
        "onnxruntime": report.onnxruntime,
        "row_by_row": "true" if report.row_by_row else "false",
        "source_sha256": report.source_sha256,
        "warm_up": json.dumps({name: each.dims for name, each in report.warm_up.items()}),
    }
    return {_PREFIX + key: value for key, value in entries.items()}


def write_metadata(model: ModelProto, report: Report) -> None:
    """Store what is known before the proof in the model."""
    for key, value in metadata(report).items():
        model.metadata_props.add(key=key, value=value)


def append_figures(path: Path, figures: Mapping[str, float]) -> None:
    """Add the proof's figures to a written model without writing it anew.

    Two protobuf messages one after the other are one message with the entries of both.
    """
    addition = ModelProto()
    addition.metadata_props.add(key=f"{_PREFIX}proof", value=json.dumps(dict(figures)))
    with path.open("ab") as file:
        file.write(addition.SerializeToString())


def is_prepared(model: ModelProto) -> bool:
    """Tell whether a model was written by this package."""
    return any(entry.key == f"{_PREFIX}prepared_by" for entry in model.metadata_props)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the `asr.` entries of a model file without their prefix; empty for other models."""
    model = onnx.load(str(path), load_external_data=False)
    return {
        entry.key.removeprefix(_PREFIX): entry.value
        for entry in model.metadata_props
        if entry.key.startswith(_PREFIX)
    }
