"""The kinds of models that are served, and where the files of each go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from asr_contract import (
    ALIGNER_MODEL,
    PARAFORMER_MODEL,
    PUNCTUATION_MODEL,
    PUNCTUATION_ONLINE_MODEL,
    SENSEVOICE_ALIGNMENT_MODEL,
    SENSEVOICE_FRAMES_MODEL,
    SENSEVOICE_MODEL,
    SPEAKER_MODEL,
    STREAMING_MODEL,
    VAD_MODEL,
)
from asr_server.models.names import GraphKindChoice
from asr_server.places import EMBEDDED_MODELS


@dataclass(frozen=True)
class ExportedGraph:
    """One of a model's ONNX files.

    Attributes:
        model: the Triton model that gets it.
        stem: its name without ending, before `_quant` of an int8 export.
        kind: what `prepare` must find in it.
        files: what `prepare` reads beside it.
    """

    model: str
    stem: str
    kind: GraphKindChoice
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelKind:
    """Where the files of one kind of model go.

    Attributes:
        name: as said on the command line; also, with `_` for `-`, its folder in `embedded_models`.
        repository: the model repository, relative to the project.
        graphs: the exported graphs; the first is the encoder.
        files: for each other model, the files it needs.
        optional: for other models, files that go beside theirs where the model has them.
        unsupported: files of which each means a model that cannot be served, and why.
        ensemble: the Triton model that chains the others, where there is one.
        more_ensembles: further chains of the same models.
        checkpoint: the file with the weights before they are exported.
    """

    name: Literal[
        "paraformer",
        "sensevoice",
        "paraformer-online",
        "vad",
        "punctuation",
        "punctuation-online",
        "speaker",
        "aligner",
    ]
    repository: str
    graphs: tuple[ExportedGraph, ...]
    files: dict[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    ensemble: str | None = None
    more_ensembles: tuple[str, ...] = ()
    checkpoint: str = "model.pt"

    @property
    def encoder(self) -> str:
        """The Triton model of the encoder."""
        return self.graphs[0].model

    @property
    def models(self) -> list[str]:
        """All Triton models of this kind."""
        chain = [self.ensemble] if self.ensemble else []
        chain += self.more_ensembles
        return [*chain, *(graph.model for graph in self.graphs), *self.files]

    @property
    def tables(self) -> set[str]:
        """The files that installing needs beside the graphs."""
        of_graphs = (name for graph in self.graphs for name in graph.files)
        return {*of_graphs, *(name for names in self.files.values() for name in names)}

    @property
    def embedded(self) -> Path:
        """Folder of the small model that comes with the project."""
        return EMBEDDED_MODELS / self.name.replace("-", "_")


_WORD_LEVEL = {
    "jieba_usr_dict": "it sets marks after Chinese words as jieba cuts them, and jieba is not used "
    "here; take a model that reads characters"
}

KINDS: dict[str, ModelKind] = {
    kind.name: kind
    for kind in (
        ModelKind(
            "sensevoice",
            "model_repo_sensevoice",
            (ExportedGraph("sensevoice_encoder", "model", "sensevoice"),),
            {
                "sensevoice_feature_extractor": ("am.mvn", "config.yaml"),
                "sensevoice_scoring": ("chn_jpn_yue_eng_ko_spectok.bpe.model",),
                SENSEVOICE_ALIGNMENT_MODEL: ("chn_jpn_yue_eng_ko_spectok.bpe.model",),
            },
            ensemble=SENSEVOICE_MODEL,
            more_ensembles=(SENSEVOICE_FRAMES_MODEL,),
        ),
        ModelKind(
            "paraformer",
            "model_repo_paraformer_offline",
            (ExportedGraph("paraformer_encoder", "model", "paraformer"),),
            {
                "paraformer_feature_extractor": ("am.mvn", "config.yaml", "tokens.json"),
                "paraformer_scoring": ("tokens.json", "config.yaml"),
            },
            ensemble=PARAFORMER_MODEL,
        ),
        ModelKind(
            "paraformer-online",
            "model_repo_paraformer_online",
            (
                ExportedGraph(
                    "streaming_encoder", "model", "streaming_encoder", ("am.mvn", "config.yaml")
                ),
                ExportedGraph("streaming_decoder", "decoder", "streaming_decoder"),
            ),
            {
                "streaming_feature_extractor": (),
                "streaming_cif_search": ("tokens.json", "config.yaml"),
            },
            ensemble=STREAMING_MODEL,
        ),
        ModelKind(
            "vad",
            "model_repo_auxiliary",
            (ExportedGraph("vad_encoder", "model", "vad", ("config.yaml",)),),
            {VAD_MODEL: ("am.mvn", "config.yaml")},
        ),
        ModelKind(
            "punctuation",
            "model_repo_auxiliary",
            (ExportedGraph("punctuation_encoder", "model", "punctuation"),),
            {PUNCTUATION_MODEL: ("tokens.json", "config.yaml")},
            unsupported=_WORD_LEVEL,
        ),
        ModelKind(
            "punctuation-online",
            "model_repo_auxiliary",
            (ExportedGraph("punctuation_online_encoder", "model", "punctuation_online"),),
            {PUNCTUATION_ONLINE_MODEL: ("tokens.json", "config.yaml")},
            unsupported=_WORD_LEVEL,
        ),
        ModelKind(
            "speaker",
            "model_repo_auxiliary",
            (ExportedGraph("speaker_encoder", "model", "speaker"),),
            {SPEAKER_MODEL: ()},
            checkpoint="campplus_cn_common.bin",
        ),
        ModelKind(
            "aligner",
            "model_repo_auxiliary",
            (ExportedGraph("aligner_encoder", "model", "aligner"),),
            {ALIGNER_MODEL: ("am.mvn", "config.yaml")},
            optional={ALIGNER_MODEL: ("seg_dict",)},
        ),
    )
}
