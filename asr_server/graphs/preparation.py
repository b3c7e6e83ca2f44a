"""From FunASR's ONNX file to the file that is served, or nothing at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import onnx
from onnx import ModelProto

from asr_core.features import LFR_FRAME_MS, Features
from asr_server.file_hashes import hash_file
from asr_server.graphs import masks, patterns, verify
from asr_server.graphs.convolutions import widen_convolutions
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.external_data import MAX_BYTES, load_model, self_contained
from asr_server.graphs.for_gpu import OLDEST, check_onnxruntime, rewrite_for_gpu
from asr_server.graphs.graph import Graph
from asr_server.graphs.ragged import lay_rows_out
from asr_server.graphs.recipes import ROW_LOOPS, WITH_CACHES, Recipe, find_kind, find_recipe
from asr_server.graphs.report import Report, append_figures, is_prepared, write_metadata
from asr_server.graphs.row_loop import loop_over_rows
from asr_server.graphs.session import Outputs
from asr_server.graphs.tensors import tensors_left_open
from asr_server.graphs.versions import MIN_OPSET, MIN_SPEAKER_OPSET, limit_versions
from asr_server.graphs.warm_up import warm_up_inputs
from asr_server.models.names import Device, GraphKind, GraphKindChoice, OnnxRuntime

_ROW_BY_ROW = "the graph runs its rows one by one, each at its true length."
_OUTPUTS = {"token_ids", "silence_probs", "punctuations"}  # that only prepared graphs have
_WAY_OUT = "--row-by-row leaves its inside as it is and runs the rows of a batch one by one."


# What is installed in one place, whatever its outputs.
_FAMILIES: dict[GraphKind, GraphKindChoice] = dict.fromkeys(
    ("bicif_paraformer", "contextual_paraformer", "seaco_paraformer"), "paraformer"
)


def prepare(
    source: Path,
    target: Path,
    *,
    kind: GraphKindChoice = "auto",
    recordings: Sequence[Features] = (),
    row_by_row: bool = False,
    device: Device = "cpu",
    onnxruntime: OnnxRuntime = "1.19",
    threads: int = 2,
) -> Report:
    """Rewrite `source`, prove the result and put it at `target`.

    Args:
        source: FunASR's `model.onnx` or `model_quant.onnx` of Paraformer, BiCifParaformer,
            ContextualParaformer, SeacoParaformer, SenseVoiceSmall or ParaformerStreaming, and the
            latter's `decoder.onnx` or `decoder_quant.onnx`; or of FSMN-VAD or CT-Transformer; or
            CAM++, exported here or by 3D-Speaker; or `fa-zh`, exported here. The streaming
            encoder needs `config.yaml` and `am.mvn` beside it, the VAD `config.yaml`.
        target: is replaced in one step, after the proof.
        kind: what `source` must be; "auto" takes any.
        recordings: features [T, 560] of real recordings to prove it on, besides made ones; for
            offline recognisers only.
        row_by_row: for graphs without the expected patterns: change nothing but the end, and run
            the rows of a batch one by one inside the graph. Dynamic int8 always does so. Not for
            graphs with caches.
        device: which it is optimised for; it runs on either, and the proof is on the CPU.
        onnxruntime: the oldest that has to read a graph for a GPU.
        threads: CPU threads of the proof.

    Returns:
        What was found, changed and proved.

    Raises:
        PrepareError: `onnxruntime` is not for this device, or newer than the one installed, which
            proves the result; or the graph is of another kind, lacks the expected patterns, or the
            prepared one is not equal to it or depends on padding. `target` is untouched.
        OSError: a file cannot be read or written.
    """
    if onnxruntime != OLDEST:
        check_onnxruntime(onnxruntime, device)
    model, report, recipe = _rewrite(source, kind, row_by_row, device, onnxruntime)
    if recipe.prove is not None and recordings:
        raise PrepareError(f"{source}: {report.kind} is proved on made windows only")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".onnx", dir=target.parent)
    os.close(handle)
    work = Path(name)
    try:
        onnx.save(model, str(work))
        del model  # the proof needs the memory
        # Before dynamic int8 a difference in the last bit becomes a whole quantum, and the fusions
        # of ONNX Runtime make such differences; only graphs as written can be compared strictly.
        optimise = report.precision != "int8"
        with self_contained(source, target.parent) as original:
            try:
                if recipe.prove is not None:
                    figures = recipe.prove(original, work, threads, optimise)
                else:
                    rows = verify.make_rows(recordings, recipe.hotword_dim)
                    figures = _prove(original, work, rows, row_by_row, threads, optimise)
            except PrepareError as error:
                raise PrepareError(
                    f"{source}: proof failed, nothing is written: {error}"
                ) from error
        report = replace(report, figures=figures)
        append_figures(work, report.figures)
        work.chmod(0o644)
        os.replace(work, target)
    finally:
        work.unlink(missing_ok=True)
    return report


def _rewrite(
    source: Path,
    kind: GraphKindChoice,
    row_by_row: bool,
    device: Device,
    onnxruntime: OnnxRuntime,
) -> tuple[ModelProto, Report, Recipe]:
    model = load_model(source)
    outputs = {value.name for value in model.graph.output}
    if is_prepared(model) or not outputs.isdisjoint(_OUTPUTS):
        raise PrepareError(f"{source}: is a prepared graph already; give FunASR's own export")
    found = find_kind(Graph(model))
    model = limit_versions(model, MIN_SPEAKER_OPSET if found == "speaker" else MIN_OPSET)
    graph = Graph(model)
    _check_kind(source, kind, found, row_by_row)
    recipe = find_recipe(found, source.parent, graph)
    int8 = patterns.is_dynamic_int8(graph)
    tables = patterns.mask_tables(graph)
    frames = min((table.frames for table in tables), default=None)
    warm_up = warm_up_inputs(found, graph)
    try:
        computed = 0 if row_by_row else masks.compute_mask_tables(graph)
        edits = recipe.rewrite(graph, not row_by_row)
        if not row_by_row:
            if device == "gpu" and not int8:
                model, more = rewrite_for_gpu(model, found, onnxruntime)
            else:
                more = {"convolutions": widen_convolutions(Graph(model))}
            edits |= more
    except PrepareError as error:
        refused = found in WITH_CACHES or found not in ROW_LOOPS
        way_out = "" if row_by_row or refused else f". {_WAY_OUT}"
        raise PrepareError(f"{source}: {error}{way_out}") from error
    if int8 or row_by_row:
        loop_over_rows(model, ROW_LOOPS[found])
    if recipe.prove is None:
        lay_rows_out(model, ROW_LOOPS[found], device)
    if model.ByteSize() > MAX_BYTES:
        raise PrepareError(f"{source}: {model.ByteSize()} bytes; expected at most {MAX_BYTES}")
    report = Report(
        kind=found,
        precision="int8" if int8 else "fp32",
        row_by_row=int8 or row_by_row,
        source_sha256=hash_file(source),
        edits={**edits, "mask_tables": computed},
        mask_table_frames=frames,
        messages=tuple(_messages(found, int8, row_by_row, frames)),
        device=device,
        onnxruntime=onnxruntime,
        warm_up=warm_up,
        tensors=tensors_left_open(found, Graph(model)) if warm_up else {},
    )
    write_metadata(model, report)
    return model, report, recipe


def _check_kind(source: Path, kind: GraphKindChoice, found: GraphKind, row_by_row: bool) -> None:
    """Refuse a graph of another kind than was said, or one that cannot run row by row.

    Raises:
        PrepareError: which.
    """
    if kind not in ("auto", _FAMILIES.get(found, found)):
        raise PrepareError(
            f"{source}: expected a {kind} graph, found inputs and outputs of {found}"
        )
    if found in WITH_CACHES and row_by_row:
        raise PrepareError(
            f"{source}: --row-by-row does not work for {found}, whose caches must end with each "
            "row's own last column"
        )
    if row_by_row and found not in ROW_LOOPS:
        raise PrepareError(
            f"{source}: --row-by-row does not work for {found}, whose rows are of one length and "
            "independent as they are"
        )


def _messages(
    kind: GraphKind, int8: bool, row_by_row: bool, mask_table_frames: int | None
) -> list[str]:
    messages = []
    if int8 and kind == "vad":
        messages.append(
            "With int8 the scores of a stream depend on the pieces in which it arrives; fp32 is "
            "small and does not."
        )
    if int8:
        messages.append(
            "Dynamic int8 takes one activation scale for a whole batch, so that neighbours and "
            f"padding would change a row: {_ROW_BY_ROW}"
        )
    if row_by_row and kind not in ("punctuation", "punctuation_online"):
        messages.append(
            "The graph's inside was left as it was: a recording in which no token fires may fail, "
            "and with it its batch."
        )
    if mask_table_frames is not None:
        limit_s = mask_table_frames * LFR_FRAME_MS / 1000
        limit = f"{mask_table_frames} frames ({limit_s:.1f} s)"
        messages.append(
            f"The export looks its masks up in a table of {limit}, beyond which it is wrong; "
            + ("that limit remains." if row_by_row else "they are now computed, for any length.")
        )
    return messages


def _prove(
    source: Path,
    work: Path,
    rows: Sequence[verify.Row],
    row_by_row: bool,
    threads: int,
    optimise: bool,
) -> dict[str, float]:
    """Prove an offline recogniser: against the original, and that rows are independent.

    Args:
        source: the original.
        work: the prepared graph.
        rows: to run both on.
        row_by_row: its inside is the original's, and may fail on the same rows.
        threads: CPU threads of one operator.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, or a row depends on padding or neighbours.
    """
    # One after the other: two full-size sessions at a time would need twice the memory.
    expected = verify.run_original(source, rows, threads, optimise)
    failed = [result is None for result in expected]
    if row_by_row:
        rows = [row for row, bad in zip(rows, failed, strict=True) if not bad]
        expected = [result for result in expected if result is not None]
    model = verify.Model(work, threads, optimise)
    verify.check_output_shapes(model)
    alone, against_original = verify.compare_with_original(expected, model, rows)
    figures = against_original.as_dict("original")
    figures["original_failed_rows"] = sum(failed)
    del model
    model = verify.Model(work, threads, optimise, verify.limits_for(rows))
    independence = verify.check_independence(model, rows, alone, with_empty=not row_by_row)
    figures |= independence.as_dict("independence")
    del model
    if not optimise:
        figures |= _int8_as_served(source, work, rows, expected, threads)
    return figures


def _int8_as_served(
    source: Path,
    work: Path,
    rows: Sequence[verify.Row],
    unoptimised: Sequence[Outputs | None],
    threads: int,
) -> dict[str, float]:
    """Count the token ids that ONNX Runtime's optimiser changes, in the original and between both.

    Args:
        source: the original.
        work: the prepared graph.
        rows: to run both on.
        unoptimised: of the original, None for a row on which it failed.
        threads: CPU threads of one operator.
    """
    original = verify.run_original(source, rows, threads)
    model = verify.Model(work, threads)
    prepared = [
        None if result is None else model([row])[0]
        for result, row in zip(original, rows, strict=True)
    ]
    return {
        "optimiser_changed_ids_of_original": verify.count_changed_ids(unoptimised, original),
        "optimiser_changed_ids_between_both": verify.count_changed_ids(original, prepared),
    }
