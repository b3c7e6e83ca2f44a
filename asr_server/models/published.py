"""The published models by all names under which people know them.

Sources: FunASR `funasr/download/name_maps_from_hub.py` (names of `AutoModel`), and the model
folders in the start scripts of FunASR's C++ runtime (`runtime/docs`).
"""

from __future__ import annotations

from dataclasses import dataclass

from asr_server.errors import InstallError
from asr_server.models.names import HubName


@dataclass(frozen=True)
class PublishedModel:
    """One published model.

    Attributes:
        kind: what installs it, as said on the command line.
        variant: which model of that kind, "" for the usual one.
        names: those of FunASR's `AutoModel`, and short forms of the ids.
        modelscope: the repository with the checkpoint, None where there is none.
        modelscope_onnx: the repository with the exported ONNX beside it.
        huggingface: the repository with the checkpoint; none has an ONNX repository beside it.
    """

    kind: str
    variant: str
    names: tuple[str, ...]
    modelscope: str | None
    modelscope_onnx: str | None
    huggingface: str | None = None

    def repository(self, hub: HubName, checkpoint: bool = False) -> str:
        """Return the id to download: the ONNX files where they are published.

        Args:
            hub: where.
            checkpoint: take the PyTorch checkpoint, to be exported here.

        Raises:
            InstallError: the hub has no such repository.
        """
        found = self.huggingface
        if hub == "modelscope":
            found = self.modelscope if checkpoint else self.modelscope_onnx or self.modelscope
        if found:
            return found
        other = "modelscope" if hub == "huggingface" else "huggingface"
        what = "checkpoint" if checkpoint else "model"
        raise InstallError(f"{hub} has no {what} of {self.title}; try --hub {other}")

    @property
    def title(self) -> str:
        """Kind and variant."""
        return f"{self.kind} ({self.variant})" if self.variant else self.kind


_PARAFORMER = "speech_paraformer-large{}_asr_nat-zh-cn-16k-common-vocab8404"

# The first of a kind (and variant) is its default.
PUBLISHED_MODELS = (
    PublishedModel(
        "sensevoice",
        "",
        ("sensevoice", "SenseVoiceSmall"),
        "iic/SenseVoiceSmall",
        "iic/SenseVoiceSmall-onnx",
        "FunAudioLLM/SenseVoiceSmall",
    ),
    PublishedModel(
        "paraformer",
        "",
        ("paraformer",),
        f"iic/{_PARAFORMER.format('')}-pytorch",
        f"iic/{_PARAFORMER.format('')}-onnx",
    ),
    PublishedModel(
        "paraformer",
        "timestamps",
        ("paraformer-vad-punc",),
        f"iic/{_PARAFORMER.format('-vad-punc')}-pytorch",
        f"iic/{_PARAFORMER.format('-vad-punc')}-onnx",
    ),
    PublishedModel(
        "paraformer",
        "contextual",
        ("paraformer-contextual",),
        f"iic/{_PARAFORMER.format('-contextual')}",
        f"iic/{_PARAFORMER.format('-contextual')}-onnx",
    ),
    PublishedModel(
        "paraformer",
        "seaco",
        ("paraformer-zh",),
        "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
        None,
        "funasr/paraformer-zh",
    ),
    PublishedModel(
        "paraformer-online",
        "",
        ("paraformer-zh-streaming",),
        f"iic/{_PARAFORMER.format('')}-online",
        f"iic/{_PARAFORMER.format('')}-online-onnx",
        "funasr/paraformer-zh-streaming",
    ),
    PublishedModel(
        "vad",
        "",
        ("fsmn-vad",),
        "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch",
        "iic/speech_fsmn_vad_zh-cn-16k-common-onnx",
        "funasr/fsmn-vad",
    ),
    PublishedModel(
        "punctuation",
        "",
        ("ct-punc-c",),
        "iic/punc_ct-transformer_zh-cn-common-vocab272727-pytorch",
        "iic/punc_ct-transformer_zh-cn-common-vocab272727-onnx",
    ),
    PublishedModel(
        "punctuation",
        "large",
        ("ct-punc",),
        "iic/punc_ct-transformer_cn-en-common-vocab471067-large",
        "iic/punc_ct-transformer_cn-en-common-vocab471067-large-onnx",
        "funasr/ct-punc",
    ),
    PublishedModel(
        "punctuation-online",
        "",
        (),
        "iic/punc_ct-transformer_zh-cn-common-vad_realtime-vocab272727",
        "iic/punc_ct-transformer_zh-cn-common-vad_realtime-vocab272727-onnx",
    ),
    PublishedModel(
        "speaker",
        "",
        ("cam++",),
        "iic/speech_campplus_sv_zh-cn_16k-common",
        None,
        "funasr/campplus",
    ),
    PublishedModel(
        "aligner",
        "",
        ("fa-zh",),
        "iic/speech_timestamp_prediction-v1-16k-offline",
        None,
        "funasr/fa-zh",
    ),
)


def default_model(kind: str, variant: str | None = None) -> PublishedModel:
    """Return the published model of a kind, of its usual variant where none is asked for.

    Raises:
        InstallError: there is none.
    """
    of_kind = [model for model in PUBLISHED_MODELS if model.kind == kind]
    for model in of_kind:
        if variant in (None, model.variant):
            return model
    known = ", ".join(model.variant for model in of_kind if model.variant) or "none"
    raise InstallError(f"{kind}: expected a variant out of {known}; got {variant}")


def find_published(name: str) -> PublishedModel | None:
    """Return the model with this name or repository id; `damo/` and `iic/` are one group."""
    wanted = _canonical(name)
    for model in PUBLISHED_MODELS:
        ids = (model.modelscope, model.modelscope_onnx, model.huggingface)
        if wanted in {_canonical(known) for known in (*model.names, *ids) if known}:
            return model
    return None


def hub_of(repository: str) -> HubName:
    """Return the hub on which a repository of the table lies; ModelScope for unknown ones."""
    for model in PUBLISHED_MODELS:
        if repository == model.huggingface:
            return "huggingface"
    return "modelscope"


def known_names() -> list[str]:
    """Return all names that are no ids."""
    return [name for model in PUBLISHED_MODELS for name in model.names]


def _canonical(name: str) -> str:
    return "iic/" + name.removeprefix("damo/") if name.startswith("damo/") else name
