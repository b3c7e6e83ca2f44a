"""FunASR's exported ONNX files as sherpa-onnx reads them: the same graphs with its metadata."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import onnx
import yaml

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS
from asr_core.features import LFR_SHIFT, LFR_WINDOW, load_cmvn

# sherpa-onnx's names of what we call with_itn and so on: `offline-sense-voice-model.cc`.
_SENSEVOICE = {
    "normalize_samples": "0",
    "with_itn": str(TEXT_NORM_IDS["withitn"]),
    "without_itn": str(TEXT_NORM_IDS["woitn"]),
    **{f"lang_{name}": str(LANGUAGE_IDS[name]) for name in ("auto", "zh", "en", "ja", "ko", "yue")},
}


def prepare_offline(kind: str, source: Path, target: Path) -> Path:
    """Write `model.onnx` and `tokens.txt` for sherpa-onnx.

    Args:
        kind: "paraformer" or "sensevoice".
        source: the exported model, laid out as the hubs do.
        target: a folder that exists.
    """
    entries = _front_end(source) | {"vocab_size": str(_write_tokens(source, target))}
    if kind == "sensevoice":
        entries |= _SENSEVOICE
    add_metadata(source / "model.onnx", target / "model.onnx", entries)
    return target


def prepare_streaming(source: Path, target: Path) -> Path:
    """Write `encoder.onnx`, `decoder.onnx` and `tokens.txt` of a streaming Paraformer."""
    config = yaml.safe_load((source / "config.yaml").read_text(encoding="utf-8"))
    decoder = config["decoder_conf"]
    entries = _front_end(source) | {
        "vocab_size": str(_write_tokens(source, target)),
        "encoder_output_size": str(config["encoder_conf"]["output_size"]),
        "decoder_num_blocks": str(decoder["num_blocks"]),
        "decoder_kernel_size": str(decoder["kernel_size"]),
    }
    add_metadata(source / "model.onnx", target / "encoder.onnx", entries)
    shutil.copyfile(source / "decoder.onnx", target / "decoder.onnx")
    return target


def add_metadata(source: Path, target: Path, entries: Mapping[str, str]) -> None:
    """Copy an ONNX file with more metadata, without reading it.

    Joined serialised messages are their union in protobuf, so that a model which holds nothing
    but metadata may follow the file.
    """
    addition = onnx.ModelProto()
    for key, value in entries.items():
        addition.metadata_props.add(key=key, value=value)
    shutil.copyfile(source, target)
    with target.open("ab") as file:
        file.write(addition.SerializeToString())


def _front_end(source: Path) -> dict[str, str]:
    cmvn = load_cmvn(source / "am.mvn")
    return {
        "lfr_window_size": str(LFR_WINDOW),
        "lfr_window_shift": str(LFR_SHIFT),
        "neg_mean": ",".join(map(str, cmvn.shift.tolist())),
        "inv_stddev": ",".join(map(str, cmvn.scale.tolist())),
    }


def _write_tokens(source: Path, target: Path) -> int:
    """Write `tokens.txt`, "piece id" on each line; returns how many."""
    if (source / "tokens.json").exists():
        pieces = json.loads((source / "tokens.json").read_text(encoding="utf-8"))
    else:
        from sentencepiece import SentencePieceProcessor

        (model,) = source.glob("*.bpe.model")
        processor = SentencePieceProcessor(model_file=str(model))
        pieces = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
    lines = [f"{piece} {index}\n" for index, piece in enumerate(pieces)]
    (target / "tokens.txt").write_text("".join(lines), encoding="utf-8")
    return len(pieces)
