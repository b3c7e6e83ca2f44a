"""From FunASR's ONNX file to the file that is served, or nothing at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from scripts.onnx_graph import masks, patterns, verify, verify_streaming
from scripts.onnx_graph.errors import PrepareError
from scripts.onnx_graph.front_end import load_front_end
from scripts.onnx_graph.graph import Graph
from scripts.onnx_graph.hotwords import BIAS_EMBED, hotword_dim
from scripts.onnx_graph.paraformer import prepare_paraformer
from scripts.onnx_graph.punctuation import PUNCTUATION_LOOP, prepare_punctuation
from scripts.onnx_graph.report import Kind, Report, append_figures, is_prepared, write_metadata
from scripts.onnx_graph.row_loop import RowLoop, Width, loop_over_rows
from scripts.onnx_graph.sensevoice import prepare_sensevoice
from scripts.onnx_graph.streaming import (
    DECODER_LOOP,
    ENCODER_LOOP,
    prepare_streaming_decoder,
    prepare_streaming_encoder,
)
from scripts.onnx_graph.vad import VAD_LOOP, load_silence_ids, prepare_vad
from scripts.onnx_graph.verify_punctuation import prove_punctuation
from scripts.onnx_graph.verify_vad import prove_vad
from scripts.onnx_graph.versions import limit_versions

_MAX_BYTES = 2**31 - 2**20  # of one protobuf message, with room for metadata

KindChoice = Literal[
    "auto",
    "paraformer",
    "sensevoice",
    "streaming_encoder",
    "streaming_decoder",
    "vad",
    "punctuation",
    "punctuation_online",
]

_ROW_BY_ROW = "the graph runs its rows one by one, each at its true length."
_WAY_OUT = "--row-by-row leaves its inside as it is and runs the rows of a batch one by one."

# A frame's CIF weight is at most 1, so no row of T frames fires more than T + 1 tokens; SenseVoice
# has four prompt frames before the audio's.
_TOKENS = {"token_ids": Width(1, 1), "token_scores": Width(1, 1)}


def _offline_loop(widths: dict[str, Width], count: str) -> RowLoop:
    return RowLoop({"speech": "speech_lengths"}, {**_TOKENS, **widths}, frozenset({count}))


def _timestamps(per_frame: int) -> dict[str, Width]:
    return {name: Width(per_frame) for name in ("us_alphas", "us_cif_peak")}


ROW_LOOPS: dict[Kind, RowLoop] = {
    "paraformer": _offline_loop(_timestamps(1), "token_num"),
    "bicif_paraformer": _offline_loop(_timestamps(3), "token_num"),
    "contextual_paraformer": _offline_loop(_timestamps(1), "token_num"),
    "seaco_paraformer": _offline_loop(_timestamps(3), "token_num"),
    "sensevoice": _offline_loop(
        {"token_ids": Width(1, 4), "token_scores": Width(1, 4)}, "encoder_out_lens"
    ),
    "streaming_encoder": ENCODER_LOOP,
    "streaming_decoder": DECODER_LOOP,
    "vad": VAD_LOOP,
    "punctuation": PUNCTUATION_LOOP,
    "punctuation_online": PUNCTUATION_LOOP,
}

# What is installed in one place, whatever its outputs.
_FAMILIES: dict[Kind, KindChoice] = dict.fromkeys(
    ("bicif_paraformer", "contextual_paraformer", "seaco_paraformer"), "paraformer"
)

# Their caches must end with each row's own last column, which takes more than cutting the rows.
_WITH_CACHES: frozenset[Kind] = frozenset({"streaming_encoder", "streaming_decoder", "vad"})


@dataclass(frozen=True)
class _Recipe:
    """What is done with one kind of graph.

    Attributes:
        rewrite: edits a graph; with False, no more than the row loop needs. Returns its edits.
        prove: takes original, prepared file, threads, and whether to optimise, and returns figures;
            None for recognisers, which are proved on features.
        hotword_dim: width of a hotword's embedding, 1 where the graph takes none.
    """

    rewrite: Callable[[Graph, bool], dict[str, int]]
    prove: Callable[[Path, Path, int, bool], dict[str, float]] | None = None
    hotword_dim: int = 1


def prepare(
    source: Path,
    target: Path,
    *,
    kind: KindChoice = "auto",
    recordings: Sequence[verify.Features] = (),
    row_by_row: bool = False,
    threads: int = 2,
) -> Report:
    """Rewrite `source`, prove the result and put it at `target`.

    Args:
        source: FunASR's `model.onnx` or `model_quant.onnx` of Paraformer, BiCifParaformer,
            ContextualParaformer, SeacoParaformer, SenseVoiceSmall or ParaformerStreaming, and the
            latter's `decoder.onnx` or `decoder_quant.onnx`; or of FSMN-VAD or CT-Transformer. The
            streaming encoder needs `config.yaml` and `am.mvn` beside it, the VAD `config.yaml`.
        target: is replaced in one step, after the proof.
        kind: what `source` must be; "auto" takes any.
        recordings: features [T, 560] of real recordings to prove it on, besides made ones; for
            offline recognisers only.
        row_by_row: for graphs without the expected patterns: change nothing but the end, and run
            the rows of a batch one by one inside the graph. Dynamic int8 always does so. Not for
            graphs with caches.
        threads: CPU threads of the proof.

    Returns:
        What was found, changed and proved.

    Raises:
        PrepareError: the graph is of another kind, lacks the expected patterns, or the prepared
            one is not equal to it or depends on padding. `target` is untouched.
        OSError: a file cannot be read or written.
    """
    model, report, recipe = _rewrite(source, kind, row_by_row)
    if recipe.prove is not None and recordings:
        raise PrepareError(f"{source}: {report.kind} is proved on made windows only")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", suffix=".onnx", dir=target.parent)
    os.close(handle)
    work = Path(name)
    try:
        onnx.save(model, str(work))
        del model  # the proof needs the memory
        if recipe.prove is not None:
            report = _prove_by(recipe.prove, source, work, report, threads)
        else:
            rows = verify.make_rows(recordings, recipe.hotword_dim)
            report = _prove(source, work, report, rows, row_by_row, threads)
        append_figures(work, report.figures)
        work.chmod(0o644)
        os.replace(work, target)
    finally:
        work.unlink(missing_ok=True)
    return report


def _rewrite(
    source: Path, kind: KindChoice, row_by_row: bool
) -> tuple[ModelProto, Report, _Recipe]:
    try:
        model = onnx.load(str(source))
    except DecodeError as error:
        raise PrepareError(f"{source}: is not an ONNX file: {error}") from error
    outputs = {value.name for value in model.graph.output}
    if is_prepared(model) or not outputs.isdisjoint({"token_ids", "silence_probs", "punctuations"}):
        raise PrepareError(f"{source}: is a prepared graph already; give FunASR's own export")
    model = limit_versions(model)
    graph = Graph(model)
    found = _find_kind(graph)
    if kind not in ("auto", _FAMILIES.get(found, found)):
        raise PrepareError(
            f"{source}: expected a {kind} graph, found inputs and outputs of {found}"
        )
    if found in _WITH_CACHES and row_by_row:
        raise PrepareError(
            f"{source}: --row-by-row does not work for {found}, whose caches must end with each "
            "row's own last column"
        )
    recipe = _find_recipe(found, source.parent, graph)
    int8 = patterns.is_dynamic_int8(graph)
    tables = patterns.mask_tables(graph)
    frames = min((table.frames for table in tables), default=None)
    try:
        computed = 0 if row_by_row else masks.compute_mask_tables(graph)
        edits = recipe.rewrite(graph, not row_by_row)
    except PrepareError as error:
        way_out = "" if row_by_row or found in _WITH_CACHES else f". {_WAY_OUT}"
        raise PrepareError(f"{source}: {error}{way_out}") from error
    if int8 or row_by_row:
        loop_over_rows(model, ROW_LOOPS[found])
    if model.ByteSize() > _MAX_BYTES:
        raise PrepareError(f"{source}: {model.ByteSize()} bytes; expected at most {_MAX_BYTES}")
    report = Report(
        kind=found,
        precision="int8" if int8 else "fp32",
        row_by_row=int8 or row_by_row,
        source_sha256=_sha256(source),
        edits={**edits, "mask_tables": computed},
        mask_table_frames=frames,
        messages=tuple(_messages(found, int8, row_by_row, frames)),
    )
    write_metadata(model, report)
    return model, report, recipe


def _find_kind(graph: Graph) -> Kind:
    outputs = graph.output_names
    if "inputs" in graph.input_types:
        return "punctuation_online" if "vad_masks" in graph.input_types else "punctuation"
    if "out_cache0" in outputs:
        return "vad"
    if "ctc_logits" in outputs:
        return "sensevoice"
    if "enc" in outputs and "alphas" in outputs:
        return "streaming_encoder"
    if "sample_ids" in outputs:
        return "streaming_decoder"
    if BIAS_EMBED in graph.input_types:
        return "seaco_paraformer" if "us_alphas" in outputs else "contextual_paraformer"
    return "bicif_paraformer" if "us_alphas" in outputs else "paraformer"


def _find_recipe(kind: Kind, model_dir: Path, graph: Graph) -> _Recipe:
    """Return what to do with a graph, read from the files beside it where need be.

    Raises:
        PrepareError: the graph, or a file beside it, cannot be understood.
        FileNotFoundError: one is missing.
    """
    if kind == "streaming_encoder":
        front_end = load_front_end(model_dir)
        return _Recipe(
            lambda graph, _: prepare_streaming_encoder(graph, front_end),
            lambda source, work, threads, optimise: verify_streaming.prove_encoder(
                source, work, front_end, threads, optimise
            ),
        )
    if kind == "streaming_decoder":
        return _Recipe(
            lambda graph, _: prepare_streaming_decoder(graph), verify_streaming.prove_decoder
        )
    if kind == "vad":
        silence_ids = load_silence_ids(model_dir)
        return _Recipe(
            lambda graph, _: prepare_vad(graph, silence_ids),
            lambda source, work, threads, optimise: prove_vad(
                source, work, silence_ids, threads, optimise
            ),
        )
    if kind in ("punctuation", "punctuation_online"):
        return _Recipe(prepare_punctuation, prove_punctuation)
    if kind == "sensevoice":
        return _Recipe(prepare_sensevoice)
    return _Recipe(prepare_paraformer, hotword_dim=hotword_dim(graph))


def _messages(kind: Kind, int8: bool, row_by_row: bool, mask_table_frames: int | None) -> list[str]:
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
        limit = f"{mask_table_frames} frames ({mask_table_frames * 0.06:.1f} s)"
        messages.append(
            f"The export looks its masks up in a table of {limit}, beyond which it is wrong; "
            + ("that limit remains." if row_by_row else "they are now computed, for any length.")
        )
    return messages


def _prove_by(
    prove: Callable[[Path, Path, int, bool], dict[str, float]],
    source: Path,
    work: Path,
    report: Report,
    threads: int,
) -> Report:
    try:
        # The graphs as written where they are int8, for the reason given in `_prove`.
        figures = prove(source, work, threads, report.precision != "int8")
    except PrepareError as error:
        raise _proof_failed(source, error) from error
    return replace(report, figures=figures)


def _proof_failed(source: Path, error: PrepareError) -> PrepareError:
    return PrepareError(f"{source}: proof failed, nothing is written: {error}")


def _prove(
    source: Path,
    work: Path,
    report: Report,
    rows: Sequence[verify.Row],
    row_by_row: bool,
    threads: int,
) -> Report:
    # Before dynamic int8 a difference in the last bit becomes a whole quantum, and ONNX Runtime's
    # fusions make such differences; only the graphs as written can be compared strictly.
    optimise = report.precision != "int8"
    try:
        # One after the other: two full-size sessions at a time would need twice the memory.
        expected = verify.run_original(source, rows, threads, optimise)
        failed = [result is None for result in expected]
        if row_by_row:  # its inside is the original's and may fail on the same rows
            rows = [row for row, bad in zip(rows, failed, strict=True) if not bad]
            expected = [result for result in expected if result is not None]
        model = verify.Model(work, threads, optimise)
        verify.check_output_shapes(model)
        alone, against_original = verify.compare_with_original(expected, model, rows)
        figures = against_original.as_dict("original")
        figures["original_failed_rows"] = sum(failed)
        independence = verify.check_independence(model, rows, alone, with_empty=not row_by_row)
        figures |= independence.as_dict("independence")
        if not optimise:
            del model
            figures |= _int8_as_served(source, work, rows, expected, threads)
    except PrepareError as error:
        raise _proof_failed(source, error) from error
    return replace(report, figures=figures)


def _int8_as_served(
    source: Path,
    work: Path,
    rows: Sequence[verify.Row],
    unoptimised: Sequence[verify.Outputs | None],
    threads: int,
) -> dict[str, float]:
    """Count the token ids that ONNX Runtime's optimiser changes, in the original and between both.

    Args:
        unoptimised: of the original, None for a row on which it failed.
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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
