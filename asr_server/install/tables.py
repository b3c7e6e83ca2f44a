"""Checks that a model's tables belong to its graphs: counts and dimensions agree.

A vocabulary with an entry too few says other characters from there on, and so does FunASR's own
runtime with the same file: nothing but the graph itself knows how many there must be. What counts
cannot see, an exchanged entry, a recording with its text does (`asr_server.install.reading`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
from onnx import ValueInfoProto

from asr_core.config import load_config
from asr_core.features import load_cmvn, load_frontend
from asr_core.paraformer import SEGMENTATION_FILE, load_pieces, load_segmentation
from asr_core.punctuation import load_punctuation
from asr_core.sensevoice import TOKENIZER_NAME
from asr_core.vad import load_vad
from asr_server.errors import InstallError
from asr_server.graphs import PrepareError
from asr_server.graphs.external_data import load_graph
from asr_server.models import ModelKind


def check_tables(kind: ModelKind, source: Path, onnx_names: Sequence[str]) -> None:
    """Compare a model's tables with its graphs.

    Args:
        kind: of the model.
        source: directory with the exported model.
        onnx_names: its graphs in that directory; the last one's logits are over the vocabulary.

    Raises:
        InstallError: a table cannot be read, or belongs to another graph.
        OSError: a file cannot be read.
    """
    graphs = [source / name for name in onnx_names]
    try:
        _CHECKS[kind.name](source, *graphs)
    except PrepareError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InstallError(f"{source}: {what}") from error


def _check_paraformer(source: Path, encoder: Path, decoder: Path | None = None) -> None:
    _check_front_end(source, encoder)
    pieces = load_pieces(source)
    _expect("tokens.json", len(pieces), "entries", _classes(decoder or encoder), "the graph")
    embedder = source / encoder.name.replace("model", "model_eb", 1)
    if embedder.is_file():
        _expect("tokens.json", len(pieces), "entries", _embedded_words(embedder), embedder.name)
    load_segmentation(source / SEGMENTATION_FILE)


def _check_sensevoice(source: Path, encoder: Path) -> None:
    _check_front_end(source, encoder)
    import sentencepiece

    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(source / TOKENIZER_NAME))
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{TOKENIZER_NAME}: expected a SentencePiece model: {error}") from error
    _expect(TOKENIZER_NAME, model.get_piece_size(), "pieces", _classes(encoder, "ctc_logits"))


def _check_vad(source: Path, encoder: Path) -> None:
    model = load_vad(source)
    _expect("am.mvn", len(load_cmvn(source / "am.mvn").shift), "values", _features(encoder))
    classes = _classes(encoder)
    if classes is not None and max(model.options.sil_pdf_ids, default=0) >= classes:
        raise ValueError(
            f"config.yaml: sil_pdf_ids {list(model.options.sil_pdf_ids)}: expected ids below "
            f"{classes}, as many as the graph has classes"
        )


def _check_punctuation(source: Path, encoder: Path) -> None:
    tokens = len(load_punctuation(source).word_ids)
    _expect("tokens.json", tokens, "different entries", _embedded_words(encoder), "the graph")
    marks = len(load_config(source)["model_conf"]["punc_list"])
    _expect("config.yaml: punc_list", marks, "marks", _classes(encoder), "the graph")


def _check_speaker(source: Path, encoder: Path) -> None:
    """There is no table; what the graph takes is compared when it is prepared."""


def _check_aligner(source: Path, encoder: Path) -> None:
    _check_front_end(source, encoder)
    load_segmentation(source / SEGMENTATION_FILE)


def _check_front_end(source: Path, encoder: Path) -> None:
    load_frontend(source)
    values = len(load_cmvn(source / "am.mvn").shift)
    _expect("am.mvn", values, "values", _features(encoder), "the graph's features")


_CHECKS: dict[str, Callable[..., None]] = {
    "sensevoice": _check_sensevoice,
    "paraformer": _check_paraformer,
    "paraformer-online": _check_paraformer,
    "vad": _check_vad,
    "punctuation": _check_punctuation,
    "punctuation-online": _check_punctuation,
    "speaker": _check_speaker,
    "aligner": _check_aligner,
}


def _expect(file: str, got: int, of: str, expected: int | None, whose: str = "the graph") -> None:
    if expected is not None and got != expected:
        raise ValueError(f"{file}: expected {expected} {of}, as {whose} has; got {got}")


def _classes(path: Path, output: str = "logits") -> int | None:
    """Return the last dimension of a graph's logits; None for another kind of graph.

    What is of another kind is refused by `prepare`, which can say of which.
    """
    model = load_graph(path)
    if output not in [value.name for value in model.graph.output]:
        return None
    for _ in range(2):
        for value in model.graph.output:
            if value.name == output and (size := _last_size(value)):
                return size
        model = onnx.shape_inference.infer_shapes(model)
    raise ValueError(f"{path.name}: expected {output} with a fixed last dimension, the vocabulary")


def _features(path: Path) -> int | None:
    """Return the last dimension of a graph's `speech`; None for another kind of graph."""
    inputs = load_graph(path).graph.input
    sizes = [_last_size(value) for value in inputs if value.name == "speech"]
    return next(filter(None, sizes), None)


def _last_size(value: ValueInfoProto) -> int:
    """Return the last dimension, 0 where it is not fixed."""
    dims = value.type.tensor_type.shape.dim
    return int(dims[-1].dim_value) if dims else 0


def _embedded_words(path: Path) -> int | None:
    """Return how many words the graph that embeds its first input knows; None for others."""
    graph = load_graph(path).graph
    words = {graph.input[0].name}
    tables = {tensor.name: tensor.dims for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in words:
            words.update(node.output)
        if node.op_type == "DequantizeLinear" and node.input[0] in tables:
            tables[node.output[0]] = tables[node.input[0]]
        if node.op_type == "Gather" and node.input[1] in words and node.input[0] in tables:
            return int(tables[node.input[0]][0])
    return None
