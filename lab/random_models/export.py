"""Builds a random-weight model with FunASR's classes and exports it with FunASR's export forms."""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from asr_core.features import FEATURE_DIM
from asr_server.export.aligner_export import AlignerForm
from asr_server.export.funasr_export import export_onnx, quantize_like_funasr
from asr_server.export.speaker_export import SpeakerForm, build_speaker
from asr_server.models import KINDS
from lab.random_models import campplus, ct_transformer, fsmn_vad, monotonic_aligner
from lab.random_models.architecture import (
    SIZES,
    Kind,
    RecogniserKind,
    SizeName,
    model_config,
    no_bias_id,
)
from lab.random_models.front_end_files import cmvn_text
from lab.random_models.torch_files import write_torch_files
from lab.random_models.vocabulary import paraformer_tokens, sensevoice_tokenizer
from lab.random_models.weights import (
    calibrate_aligner,
    calibrate_paraformer,
    calibrate_paraformer_online,
    calibrate_sensevoice,
    spread_hotwords,
)

SENSEVOICE_TOKENIZER = "chn_jpn_yue_eng_ko_spectok.bpe.model"


@dataclass(frozen=True)
class Export:
    """A model about to be written.

    Attributes:
        graphs: its export forms, by the name of the ONNX file.
        weights: its parameters and buffers under the names they have in FunASR's `model.pt`.
    """

    graphs: dict[str, Any]
    weights: dict[str, torch.Tensor]


def export_random_model(
    kind: Kind,
    size_name: SizeName,
    seed: int,
    target: Path,
    quantize: bool = False,
    with_torch: bool = False,
) -> Path:
    """Write a model directory laid out like FunASR's on the hubs; `funasr_onnx` loads it.

    It holds `model.onnx` (and `decoder.onnx` for the streaming Paraformer, `model_eb.onnx` for
    those with hotwords), `config.yaml`, and what the kind needs of `am.mvn` and a vocabulary
    (`tokens.json` or a SentencePiece model); with `quantize`, each graph as `*_quant.onnx` too;
    with `with_torch`, what FunASR's `AutoModel` loads. The directory appears when it is complete;
    an older one is replaced.

    Args:
        kind: architecture.
        size_name: "tiny" and "small" serve tests, "full" has the published models' dimensions.
        seed: of weights and calibration; the same seed gives the same weights on one machine.
        target: directory to write.
        quantize: also write dynamic int8.
        with_torch: also write `model.pt`, with the same weights, and `configuration.json`.

    Returns:
        `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        if kind == "fsmn_vad":
            export = _write_vad(size_name, seed, work)
        elif kind == "campplus":
            export = _write_speaker(size_name, seed, work)
        elif kind == "monotonic_aligner":
            export = _write_aligner(size_name, seed, work)
        elif kind == "ct_transformer" or kind == "ct_transformer_streaming":
            export = _write_punctuation(kind, size_name, seed, work)
        else:
            export = _write_recogniser(kind, size_name, seed, work)
        if with_torch:
            name = KINDS["speaker"].checkpoint if kind == "campplus" else "model.pt"
            write_torch_files(work, export.weights, name)
        for name, form in export.graphs.items():
            export_onnx(form, work / f"{name}.onnx")
            if quantize:
                quantize_like_funasr(work / f"{name}.onnx", work / f"{name}_quant.onnx")
        work.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _write_recogniser(kind: RecogniserKind, size_name: SizeName, seed: int, work: Path) -> Export:
    """Write a recogniser's tables and return the rest."""
    size = SIZES[kind][size_name]
    config = model_config(kind, size)
    if kind == "sensevoice":
        (work / SENSEVOICE_TOKENIZER).write_bytes(sensevoice_tokenizer(size.vocabulary))
    else:
        _write_tokens(work, paraformer_tokens(size.vocabulary))
    _write_config(work, config)
    (work / "am.mvn").write_text(cmvn_text(), encoding="utf-8")
    forms, weights = build_export_form(config, size.vocabulary, seed)
    if kind == "paraformer_online":
        encoder, decoder = forms
        calibrate_paraformer_online(encoder, decoder, seed)
        return Export({"model": encoder, "decoder": decoder}, weights)
    if kind == "contextual_paraformer" or kind == "seaco_paraformer":
        backbone, embedder = forms
        _fit_hotword_forms(backbone, embedder, size.hidden, size.vocabulary)
        spread_hotwords(embedder)
        calibrate_paraformer(backbone, seed)
        return Export({"model": backbone, "model_eb": embedder}, weights)
    calibrate = calibrate_sensevoice if kind == "sensevoice" else calibrate_paraformer
    calibrate(forms, seed)
    return Export({"model": forms}, weights)


def _write_vad(size_name: SizeName, seed: int, work: Path) -> Export:
    """Write a VAD's tables and return the rest."""
    size = fsmn_vad.SIZES[size_name]
    config = fsmn_vad.model_config(size)
    _write_config(work, config)
    (work / "am.mvn").write_text(cmvn_text(fsmn_vad.LFR_WINDOW), encoding="utf-8")
    form, weights = build_export_form(config, size.classes, seed)
    fsmn_vad.calibrate_fsmn_vad(form, seed)
    return Export({"model": form}, weights)


def _write_speaker(size_name: SizeName, seed: int, work: Path) -> Export:
    """Write a speaker model's configuration and return the rest."""
    config = campplus.model_config(size_name)
    _write_config(work, config)
    torch.manual_seed(seed)
    model = build_speaker(config)
    campplus.calibrate_campplus(model, seed)
    return Export({"model": SpeakerForm(model)}, model.state_dict())


def _write_aligner(size_name: SizeName, seed: int, work: Path) -> Export:
    """Write an aligner's tables and return the rest."""
    config = monotonic_aligner.model_config(size_name)
    _write_tokens(work, paraformer_tokens(monotonic_aligner.VOCABULARY[size_name]))
    _write_config(work, config)
    (work / "am.mvn").write_text(cmvn_text(), encoding="utf-8")
    model = monotonic_aligner.build_aligner(config, seed)
    weights = model.state_dict(keep_vars=True)  # by the names before the form changes them
    form = AlignerForm(model)
    calibrate_aligner(form, seed)
    return Export({"model": form}, weights)


def _write_punctuation(
    kind: ct_transformer.CtKind, size_name: SizeName, seed: int, work: Path
) -> Export:
    """Write a punctuation model's tables and return the rest."""
    size = ct_transformer.SIZES[size_name]
    config = ct_transformer.model_config(kind, size)
    _write_tokens(work, ct_transformer.punctuation_tokens(size.vocabulary))
    _write_config(work, config)
    form, weights = build_export_form(config, size.vocabulary, seed)
    ct_transformer.calibrate_ct_transformer(form, size.vocabulary, seed)
    return Export({"model": form}, weights)


def _write_tokens(work: Path, tokens: list[str]) -> None:
    text = json.dumps(tokens, ensure_ascii=False, indent=0)
    (work / "tokens.json").write_text(text, encoding="utf-8")


def _write_config(work: Path, config: dict[str, Any]) -> None:
    text = yaml.safe_dump(config, allow_unicode=True, sort_keys=False)
    (work / "config.yaml").write_text(text, encoding="utf-8")


def build_export_form(
    config: dict[str, Any], vocabulary: int, seed: int
) -> tuple[Any, dict[str, torch.Tensor]]:
    """Build the model that `config` describes, seeded.

    Returns:
        The form that FunASR traces. The streaming Paraformer has two, its encoder and its decoder;
        one with hotwords has its backbone and the embedder of the hotwords.
        The parameters and buffers that it works with, under the names they had before: whoever
        changes the one changes the other.
    """
    # FunASR registers its classes when the modules are imported.
    import funasr.models.bicif_paraformer.model
    import funasr.models.contextual_paraformer.decoder
    import funasr.models.contextual_paraformer.model
    import funasr.models.ct_transformer.model
    import funasr.models.ct_transformer_streaming.encoder
    import funasr.models.ct_transformer_streaming.model
    import funasr.models.fsmn_vad_streaming.encoder
    import funasr.models.fsmn_vad_streaming.model
    import funasr.models.paraformer.model
    import funasr.models.paraformer_streaming.model
    import funasr.models.scama.encoder
    import funasr.models.seaco_paraformer.model
    import funasr.models.sense_voice.model  # noqa: F401
    from funasr.register import tables

    torch.manual_seed(seed)
    settings = copy.deepcopy(config)
    model_class = tables.model_classes.get(settings.pop("model"))
    model_conf = settings.pop("model_conf")
    model = model_class(**settings, **model_conf, input_size=FEATURE_DIM, vocab_size=vocabulary)
    model.eval()
    weights: dict[str, torch.Tensor] = model.state_dict(keep_vars=True)
    forms = model.export(**settings, type="onnx", device="cpu", max_seq_len=512)
    for form in forms if isinstance(forms, tuple) else (forms,):
        form.eval()
    return forms, weights


def _fit_hotword_forms(backbone: Any, embedder: Any, hidden: int, vocabulary: int) -> None:
    """Bring FunASR's forms, written for the published dimensions, to those of this model."""
    if hasattr(backbone, "NOBIAS"):
        backbone.NOBIAS = no_bias_id(vocabulary)
    speech, lengths, bias_embed = backbone.export_dummy_inputs()
    dummy = (speech, lengths, bias_embed[..., :1].expand(-1, -1, hidden).contiguous())
    backbone.export_dummy_inputs = lambda: dummy
    hotword = embedder.export_dummy_inputs() % vocabulary
    embedder.export_dummy_inputs = lambda: hotword
