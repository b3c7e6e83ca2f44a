"""Turns the two graphs of a streaming Paraformer into float16, with a report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

from asr_server.graphs.caches import CACHED_COLUMNS, NEW_COLUMNS
from asr_server.graphs.conversion import ConversionReport, set_metadata
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.feeds import Feed, padded_batch
from asr_server.graphs.float16 import Float16Report, joint_report, to_float16
from asr_server.graphs.graph import FLOAT16, Graph
from asr_server.graphs.logits import Logits, add_logits_output, compare_logits
from asr_server.graphs.report import read_metadata
from asr_server.graphs.session import Session
from asr_server.graphs.skip_norms import fuse_skip_norms, split_skip_norms

_THREADS = 2


def convert_streaming(
    encoder: Path,
    decoder: Path,
    encoder_feeds: Sequence[Feed],
    decoder_feeds: Sequence[Feed],
) -> ConversionReport:
    """Replace two prepared float32 files by ones in float16.

    Their inputs and outputs keep their types (but see `halve_cache`); CIF's weights are computed in
    float32.

    Args:
        encoder: fbank and positions -> hidden, alphas, as `prepare` writes it.
        decoder: hidden, acoustic_embeds, cached_columns -> tokens, new_columns, likewise.
        encoder_feeds: inputs of real windows, one run each: to calibrate, and to report.
        decoder_feeds: what the float32 encoder and CIF made of them.

    Returns:
        What it did; logits and tokens are the decoder's on `decoder_feeds`.

    Raises:
        PrepareError: a file is something else.
        ValueError: there is no window.
    """
    if not encoder_feeds or not decoder_feeds:
        raise ValueError("expected windows for both graphs")
    for path in (encoder, decoder):
        if read_metadata(path).get("precision") != "fp32":
            raise PrepareError(f"{path}: expected a prepared file in fp32")
    expected = _logits(decoder, decoder_feeds)
    reports = [
        _convert(path, feeds)
        for path, feeds in ((encoder, encoder_feeds), (decoder, decoder_feeds))
    ]
    report = joint_report(reports)
    tokens, changed = _count_batch_changes(decoder, decoder_feeds)
    return ConversionReport(
        precision="fp16",
        recipe=None,
        row_by_row=False,
        converted_nodes=report.float16_nodes,
        logits=compare_logits(expected, _logits(decoder, decoder_feeds)),
        batch_tokens=tokens,
        batch_changed_ids=changed,
        float16=report,
    )


def halve_cache(decoder: Path) -> None:
    """Let a prepared streaming decoder take and give the columns of its cache in float16.

    That halves what a call carries. A graph in float16 loses nothing by it: it rounds them itself.
    """
    model = onnx.load(str(decoder))
    graph = Graph(model)
    graph.retype_input(CACHED_COLUMNS, FLOAT16)
    graph.retype_output(NEW_COLUMNS, FLOAT16)
    graph.finish()
    _replace(decoder, model)


def _convert(path: Path, feeds: Sequence[Feed]) -> Float16Report:
    model = onnx.load(str(path))
    fused_norms = split_skip_norms(Graph(model))
    report = to_float16(model, [*feeds, padded_batch(feeds)], _THREADS)
    if fused_norms:
        fuse_skip_norms(Graph(model))
    set_metadata(model, "precision", "fp16")
    _replace(path, model)
    return report


def _replace(path: Path, model: ModelProto) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".convert-") as scratch:
        work = Path(scratch) / path.name
        onnx.save(model, str(work))
        os.replace(work, path)


def _logits(decoder: Path, feeds: Sequence[Feed]) -> list[Logits]:
    model = onnx.load(str(decoder))
    name = add_logits_output(model)
    session = Session(model.SerializeToString(), _THREADS, optimise=True)
    results = []
    for feed in feeds:
        rows: Logits = session(dict(feed))[name][0, : _tokens(feed)].astype(np.float32)
        results.append(rows)
    return results


def _count_batch_changes(decoder: Path, feeds: Sequence[Feed]) -> tuple[int, int]:
    """Return the token ids of windows alone, and how many differ in one padded batch of all."""
    session = Session(decoder, _THREADS, optimise=True)
    together = session(dict(padded_batch(feeds)))["token_ids"]
    tokens = changed = 0
    for ids, feed in zip(together, feeds, strict=True):
        count = _tokens(feed)
        tokens += count
        changed += int((session(dict(feed))["token_ids"][0, :count] != ids[:count]).sum())
    return tokens, changed


def _tokens(feed: Feed) -> int:
    return int(feed["embeds_lengths"][0, 0])
