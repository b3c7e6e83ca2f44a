"""From a prepared float32 file to the same model in another precision, with a report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from asr_core.features import Features
from asr_server.graphs import verify
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.feeds import Feed, hotword_width, make_feeds, padded_batch
from asr_server.graphs.float16 import Float16Report, to_float16
from asr_server.graphs.graph import Graph
from asr_server.graphs.int8 import needs_row_loop, quantize
from asr_server.graphs.logits import LogitError, Logits, add_logits_output, compare_logits
from asr_server.graphs.ragged import lay_rows_out, take_rows_padded
from asr_server.graphs.recipes import ROW_LOOPS
from asr_server.graphs.report import read_metadata
from asr_server.graphs.row_loop import loop_over_rows
from asr_server.graphs.skip_norms import fuse_skip_norms, split_skip_norms
from asr_server.models.names import (
    DEFAULT_RECIPE,
    ConvertedPrecision,
    Device,
    GraphKind,
    Int8Recipe,
)

_PADDING_FRAMES = 13


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion did, and what it cost.

    Attributes:
        precision: of the new file.
        recipe: of int8.
        row_by_row: rows run one after the other inside the graph, and cannot meet.
        converted_nodes: matrix products in int8, or operators in float16.
        logits: how far they are from float32's.
        batch_tokens, batch_changed_ids: token ids of recordings and made speech, and how many of
            them differ when all are one padded batch. 0 where rows run one by one, else the
            conversion fails.
        float16: what was rescaled.
    """

    precision: ConvertedPrecision
    recipe: Int8Recipe | None
    row_by_row: bool
    converted_nodes: int
    logits: LogitError
    batch_tokens: int
    batch_changed_ids: int
    float16: Float16Report | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        found = self.logits
        lines = [
            f"{self.converted_nodes} operators in {self.precision}"
            + (f" by recipe {self.recipe}" if self.recipe else "")
            + (", rows one by one" if self.row_by_row else ""),
            f"logits differ from fp32's by {found.mean:.2g} on average and {found.largest:.2g} at "
            f"most (their deviation is {found.spread:.2g}); {found.equal_choices} of {found.steps} "
            "choices are equal",
            f"{self.batch_changed_ids} of {self.batch_tokens} token ids change in a padded batch",
        ]
        if self.float16 is not None:
            scales = ", ".join(f"{scale:g}" for scale in self.float16.scales)
            lines.append(
                f"largest magnitude {self.float16.largest_before:.0f}"
                + (f", {self.float16.largest:.0f} after division by {scales}" if scales else "")
                + f" (float16 ends at 65504); {self.float16.too_large_nodes} operators left in fp32"
            )
        return "\n".join(lines)


def convert(
    source: Path,
    target: Path,
    precision: ConvertedPrecision,
    recordings: Sequence[Features],
    *,
    recipe: Int8Recipe = DEFAULT_RECIPE,
    threads: int = 2,
) -> ConversionReport:
    """Write a prepared float32 file in another precision.

    Args:
        source: an offline recogniser as `prepare` writes it.
        target: is replaced in one step.
        precision: int8 or fp16.
        recordings: features [T, 560] of real speech: to calibrate float16, and to report.
        recipe: of int8.
        threads: CPU threads of the report.

    Raises:
        PrepareError: `source` is something else, or the result depends on the batch although its
            rows run one by one.
        ValueError: there is no recording.
    """
    if not recordings:
        raise ValueError("expected at least one recording")
    kind, device = _prepared_for(source)
    model = onnx.load(str(source))
    take_rows_padded(model)
    fused_norms = split_skip_norms(Graph(model))
    feeds = make_feeds(model, recordings)
    hotword_dim = hotword_width(Graph(model))
    float16, row_by_row = None, False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".convert-") as scratch:
        work = Path(scratch) / "model.onnx"
        # One session at a time: two of full size would need twice the memory.
        expected = _run_for_logits(_copy(model), work, feeds, threads)
        if precision == "fp16":
            float16 = to_float16(model, [*feeds, padded_batch(feeds)], threads)
            nodes = float16.float16_nodes
        else:
            model, nodes = quantize(model, recipe)
            row_by_row = needs_row_loop(recipe)
        got = _run_for_logits(_copy(model), work, feeds, threads)
        if fused_norms:
            fuse_skip_norms(Graph(model))
        if row_by_row:
            loop_over_rows(model, ROW_LOOPS[kind])
        lay_rows_out(model, ROW_LOOPS[kind], device)
        set_metadata(model, "precision", precision)
        set_metadata(model, "row_by_row", "true" if row_by_row else "false")
        onnx.save(model, str(work))
        del model
        rows = verify.make_rows(recordings, hotword_dim)
        tokens, changed = _count_batch_changes(work, rows, threads)
        if row_by_row and changed:
            raise PrepareError(f"{source}: {changed} token ids depend on the batch")
        work.chmod(0o644)
        os.replace(work, target)
    return ConversionReport(
        precision=precision,
        recipe=recipe if precision == "int8" else None,
        row_by_row=row_by_row,
        converted_nodes=nodes,
        logits=compare_logits(expected, got),
        batch_tokens=tokens,
        batch_changed_ids=changed,
        float16=float16,
    )


def _prepared_for(source: Path) -> tuple[GraphKind, Device]:
    """Return the kind of a prepared file, and the device that it is made for.

    Raises:
        PrepareError: it is none, or not in float32.
    """
    metadata = read_metadata(source)
    if metadata.get("precision") != "fp32" or metadata.get("row_by_row") != "false":
        raise PrepareError(
            f"{source}: expected a file in fp32 written by `triton-asr-server prepare`"
        )
    return cast(GraphKind, metadata["kind"]), "gpu" if metadata.get("device") == "gpu" else "cpu"


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def set_metadata(model: ModelProto, key: str, value: str) -> None:
    """Change what `prepare` stored in the model."""
    for entry in model.metadata_props:
        if entry.key.rpartition(".")[2] == key:
            entry.value = value


def _run_for_logits(
    model: ModelProto, work: Path, feeds: Sequence[Feed], threads: int
) -> list[Logits]:
    """Return each recording's logits; the model is changed, and written to `work`."""
    name = add_logits_output(model)
    onnx.save(model, str(work))
    counts = [n for n in ("token_num", "encoder_out_lens") if n in Graph(model).output_names]
    del model
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(work), options, providers=["CPUExecutionProvider"])
    results = []
    for feed in feeds:
        logits, count = session.run([name, counts[0]], dict(feed))
        row: NDArray[np.float32] = logits[0, : int(count[0])].astype(np.float32)
        results.append(row)
    return results


def _count_batch_changes(path: Path, rows: Sequence[verify.Row], threads: int) -> tuple[int, int]:
    """Return the token ids of rows alone, and how many differ in one padded batch of all."""
    model = verify.Model(path, threads, limits=verify.limits_for(rows))
    alone = [model([row])[0] for row in rows]
    longest = max(len(row.features) for row in rows)
    together = model(rows, longest + _PADDING_FRAMES, padding=1.0)
    tokens = sum(len(one["token_ids"]) for one in alone)
    return tokens, verify.count_changed_ids(alone, together)
