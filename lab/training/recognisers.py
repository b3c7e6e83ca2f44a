"""Runs the exported models on waveforms.

The product's recognisers around ONNX Runtime on the graphs as exported, and FunASR's runtime for
the streaming model.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import DEFAULT_CHUNK_SIZE
from asr_core.decoding import HotwordSettings
from asr_core.features import Waveform, load_frontend, make_streaming_fbank
from asr_core.paraformer import ParaformerRecogniser, load_paraformer_decoder, load_scoring
from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceRecogniser, SenseVoiceScoring
from asr_core.streaming import (
    DECODER_OUTPUTS,
    ENCODER_OUTPUTS,
    Step,
    StreamingFrontend,
    StreamingModel,
    StreamingRecogniser,
    load_streaming_model,
)
from asr_core.text import DecodedWord
from asr_server.graphs.session import Session
from asr_server.graphs.token_ids import CANDIDATES
from asr_server.install import install
from asr_server.models import KINDS, VERSION, copy_repository
from asr_server.places import ROOT

_INCREMENT = re.compile(r'key: "hotword_increment" value: \{ string_value: "([\d.]+)" \}')

Graph = Callable[..., list[NDArray[Any]]]
"""Runs a graph: its inputs by name to its outputs."""


def load_paraformer(model_dir: Path, increment: float | None = None) -> ParaformerRecogniser:
    """Load the exported BiCifParaformer, with its search for hotwords.

    Its graph takes one recording with a frame or more. What a hotword's tokens earn is as served
    unless `increment` says otherwise.
    """
    encode = _paraformer_graph((model_dir / "model.onnx").resolve())
    settings = _hotwords("paraformer", "paraformer_scoring", increment)
    decoder = load_paraformer_decoder(model_dir, settings)
    scoring = load_scoring(model_dir)
    return ParaformerRecogniser(load_frontend(model_dir), encode, scoring, decoder=decoder)


@cache
def _paraformer_graph(path: Path) -> Graph:
    graph = Session(path, threads=1, optimise=True)

    def encode(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
        logits, *others = graph(inputs).values()
        # Paraformer's logits are log-probabilities
        return [*best_tokens(logits), *others, *best_candidates(logits)]

    return remembering(encode)


def load_sensevoice(model_dir: Path, increment: float | None = None) -> SenseVoiceRecogniser:
    """Load the exported SenseVoiceSmall, with its search for hotwords.

    Its graph takes one recording with a frame or more; `increment` as for `load_paraformer`.
    """
    encode = _sensevoice_graph((model_dir / "model.onnx").resolve())
    scoring = SenseVoiceScoring(model_dir / TOKENIZER_NAME)
    settings = _hotwords("sensevoice", "sensevoice_scoring", increment)
    decoder = scoring.decoder(model_dir, settings)
    return SenseVoiceRecogniser(load_frontend(model_dir), encode, scoring, decoder)


@cache
def _sensevoice_graph(path: Path) -> Graph:
    graph = Session(path, threads=1, optimise=True)

    def encode(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
        logits, lengths = graph(inputs).values()
        log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        return [*best_tokens(log_probs), lengths, *best_candidates(log_probs)]

    return remembering(encode)


def load_streaming(
    model_dir: Path, increment: float | None = None
) -> Callable[..., Sequence[DecodedWord]]:
    """Prepare the exported ParaformerStreaming; `increment` as for `load_paraformer`.

    Returns:
        what gives a recording's words, and takes hotwords behind its waveform.
    """
    settings = _hotwords("paraformer-online", "streaming_cif_search", increment)
    model, encode, decode = _streaming_graphs((model_dir / "model.onnx").resolve().parent)
    recogniser = StreamingRecogniser(
        model,
        encode,
        decode,
        max_batch_size=1,
        words=load_paraformer_decoder(model_dir, settings),
    )

    def words(waveform: Waveform, hotwords: str = "") -> list[DecodedWord]:
        frontend = StreamingFrontend(make_streaming_fbank(), DEFAULT_CHUNK_SIZE)
        stream, heard = recogniser.open(DEFAULT_CHUNK_SIZE, hotwords), []
        for start in range(0, len(waveform), FunasrStreaming.CHUNK_SAMPLES):
            end = start + FunasrStreaming.CHUNK_SAMPLES
            windows = frontend.accept(waveform[start:end], end >= len(waveform))
            (update,) = recogniser.advance([Step(stream, windows, end >= len(waveform))])
            heard += update.words
        return heard

    return words


def _hotwords(kind: str, model: str, increment: float | None) -> HotwordSettings:
    """Return the settings of a served model, or those with another increment."""
    if increment is None:
        path = ROOT / KINDS[kind].repository / model / "config.pbtxt"
        found = _INCREMENT.search(path.read_text(encoding="utf-8"))
        if found is None:
            raise ValueError(f"{path}: expected the parameter hotword_increment")
        increment = float(found[1])
    return HotwordSettings(increment)


@cache
def _streaming_graphs(model_dir: Path) -> tuple[StreamingModel, Graph, Graph]:
    kind = KINDS["paraformer-online"]
    with tempfile.TemporaryDirectory() as scratch:
        repository = copy_repository(kind, Path(scratch) / kind.repository)
        install(kind, model_dir, repository)
        encoder, decoder = (
            Session(repository / name / VERSION / "model.onnx", threads=1, optimise=True)
            for name in ("streaming_encoder", "streaming_decoder")
        )
        return (
            load_streaming_model(repository / "streaming_cif_search" / VERSION),
            remembering(encoder.function(ENCODER_OUTPUTS)),
            remembering(decoder.function(DECODER_OUTPUTS)),
        )


def remembering(graph: Graph) -> Graph:
    """Return what runs a graph once for the same inputs, however many searches follow it."""
    known: dict[bytes, list[NDArray[Any]]] = {}

    def run(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
        digest = hashlib.blake2b(digest_size=16)
        for name, array in inputs.items():
            digest.update(f"{name} {array.shape}".encode() + array.tobytes())
        key = digest.digest()
        if key not in known:
            known[key] = graph(**inputs)
            for array in known[key]:
                array.setflags(write=False)
        return known[key]

    return run


def best_tokens(log_probs: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the best ids [R, T] of log-probabilities [R, T, V], and their own: prepared graphs'.

    The exported graphs give all of them, the prepared ones these.
    """
    return log_probs.argmax(-1).astype(np.int32), log_probs.max(-1)


def best_candidates(
    log_probs: NDArray[np.float32], count: int = CANDIDATES
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the best K ids [..., K] of log-probabilities [..., V], and their own."""
    ids = np.argsort(-log_probs, axis=-1, kind="stable")[..., :count]
    return ids.astype(np.int32), np.take_along_axis(log_probs, ids, -1)


class FunasrStreaming:
    """The exported ParaformerStreaming in `funasr_onnx`, fed chunks of 600 ms."""

    CHUNK_SAMPLES = 9600
    LEAST_LAST_SAMPLES = 960
    """`funasr_onnx` drops the samples of a shorter last piece."""

    def __init__(self, model_dir: Path) -> None:
        from funasr_onnx.paraformer_online_bin import Paraformer

        self._model = Paraformer(model_dir, chunk_size=[5, 10, 5], intra_op_num_threads=1)

    def text(self, waveform: Waveform) -> str:
        """Plain text of a float32 waveform [samples] at 16 kHz in [-1, 1]."""
        missing = self.LEAST_LAST_SAMPLES - (len(waveform) % self.CHUNK_SAMPLES or len(waveform))
        waveform = np.concatenate([waveform, np.zeros(max(0, missing), np.float32)])
        cache: dict[str, Any] = {}
        pieces = []
        for first in range(0, len(waveform), self.CHUNK_SAMPLES):
            chunk = waveform[first : first + self.CHUNK_SAMPLES]
            is_final = first + self.CHUNK_SAMPLES >= len(waveform)
            options = {"cache": cache, "is_final": is_final}
            results = self._model(chunk, param_dict=options)
            pieces += [result["preds"][0] for result in results if result]
        return "".join(pieces)
