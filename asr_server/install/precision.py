"""Installs a model in int8 or float16, made from its float32 graph, and says what that costs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from asr_contract import character_error_rate
from asr_core.features import load_frontend
from asr_server.errors import InstallError
from asr_server.graphs import ConversionReport, Report, convert
from asr_server.graphs.streaming_float16 import convert_streaming
from asr_server.install.agreement import LOADERS, Agreement, count_agreement
from asr_server.install.installed import Material, StreamFeeds, load_paraformer_online
from asr_server.install.into_repository import carry_half_cache, install
from asr_server.install.layout import graph_file, has_graphs
from asr_server.install.rounding import check_scores, check_weights
from asr_server.models import (
    DEFAULT_RECIPE,
    VERSION,
    Device,
    ExportedPrecision,
    Int8Recipe,
    ModelKind,
    OnnxRuntime,
    RecipeChoice,
    ServedPrecision,
)

CONVERTIBLE = ("sensevoice", "paraformer")
STREAMING = "paraformer-online"  # whose two graphs become float16, and not int8, here


@dataclass(frozen=True)
class Choice:
    """In which precision a model is installed.

    Attributes:
        precision: of the installed graph.
        recipe: by which the float32 graph is quantised; None where nothing is.
    """

    precision: ServedPrecision
    recipe: Int8Recipe | None = None

    @property
    def is_converted(self) -> bool:
        """Return whether the graph is made here from float32."""
        return self.precision == "fp16" or self.recipe is not None

    @property
    def of_files(self) -> ExportedPrecision:
        """Return the precision of the files to install from."""
        return "int8" if self.precision == "int8" and not self.is_converted else "fp32"


def choose(
    kind: ModelKind, precision: ServedPrecision, recipe: RecipeChoice | None, source: str | None
) -> Choice:
    """Return what to do, given the command line.

    int8 is made here from float32, which keeps the CIF predictor precise and is faster than the
    published int8; that one is taken where it is asked for, or the directory holds no other.

    Raises:
        InstallError: the kind of model, or the precision, does not go with it.
    """
    if recipe is not None and precision != "int8":
        raise InstallError(f"--recipe {recipe}: expected with --precision int8, got {precision}")
    if precision == "fp32":
        return Choice(precision)
    if precision == "fp16" and kind.name in (*CONVERTIBLE, STREAMING):
        return Choice(precision)
    if kind.name not in CONVERTIBLE:
        if precision == "fp16" or recipe not in (None, "published"):
            raise InstallError(
                f"{kind.name}: is served in fp32 and in published int8; expected one of "
                f"{', '.join(CONVERTIBLE)} for other int8, and of these and {STREAMING} for fp16"
            )
        return Choice(precision)
    if recipe == "published" or (recipe is None and _holds_int8_only(kind, source)):
        return Choice(precision)
    return Choice(precision, recipe or DEFAULT_RECIPE)


def _holds_int8_only(kind: ModelKind, source: str | None) -> bool:
    graphs = [graph.stem for graph in kind.graphs]
    directory = Path(source) if source is not None else None
    return (
        directory is not None
        and has_graphs(directory, graphs, "int8")
        and not has_graphs(directory, graphs, "fp32")
        and not (directory / kind.checkpoint).is_file()
    )


@dataclass(frozen=True)
class PrecisionReport:
    """What a precision costs, on recordings.

    Attributes:
        conversion: of the graph.
        agreement: of the texts with those of the float32 graph.
        error_rate: edits that make float32's texts of these, over float32's characters.
    """

    conversion: ConversionReport
    agreement: Agreement
    error_rate: float

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "conversion": self.conversion.as_dict(),
            "agreement": asdict(self.agreement),
            "error_rate": self.error_rate,
        }

    def __str__(self) -> str:
        return (
            f"{self.conversion}\n"
            f"texts against fp32: {self.agreement}; error rate {self.error_rate:.2%}"
        )


def install_converted(
    kind: ModelKind,
    files: Path,
    repository: Path,
    choice: Choice,
    material: Material,
    device: Device,
    onnxruntime: OnnxRuntime,
) -> tuple[list[Report], PrecisionReport]:
    """Install a model in float32 elsewhere, and from there in another precision.

    Args:
        kind: which model.
        files: as exported, in float32.
        repository: the model repository to fill.
        choice: the precision, one that is made here.
        material: its recordings calibrate float16, and are recognised in both precisions.
        device: which the graph is optimised for.
        onnxruntime: the oldest that has to read it on a GPU.

    Raises:
        InstallError: a file is missing, or nothing is recognised.
        PrepareError: the graph cannot be served, or not in this precision.
    """
    if choice.precision == "fp32":
        raise ValueError("expected another precision than fp32")
    with tempfile.TemporaryDirectory(prefix="fp32-") as work:
        fp32 = Path(work)
        reports = install(kind, files, fp32, device=device, onnxruntime=onnxruntime)
        shutil.copytree(fp32, repository, dirs_exist_ok=True)
        load, _ = LOADERS[kind.name]
        if kind.name == STREAMING:
            conversion = _convert_stream(kind, fp32, repository, material)
        else:
            graph = Path(kind.encoder) / VERSION / "model.onnx"
            frontend = load_frontend(_feature_extractor(kind, fp32))
            features = [frontend(samples) for samples in material.recordings]
            conversion = convert(
                fp32 / graph,
                repository / graph,
                choice.precision,
                features,
                recipe=choice.recipe or DEFAULT_RECIPE,
            )
            check_weights(fp32 / graph, repository / graph)
            original = files / graph_file(kind.graphs[0].stem, "fp32")
            check_scores(original, repository / graph, features)
        expected = load(fp32)(material)
        texts = load(repository)(material)
    report = PrecisionReport(
        conversion, count_agreement(expected, texts), error_rate(expected, texts)
    )
    return reports, report


def _convert_stream(
    kind: ModelKind, fp32: Path, repository: Path, material: Material
) -> ConversionReport:
    graphs = [Path(graph.model) / VERSION / "model.onnx" for graph in kind.graphs]
    feeds = StreamFeeds([], [])
    load_paraformer_online(fp32, feeds=feeds)(material)
    encoder, decoder = (repository / graph for graph in graphs)
    conversion = convert_streaming(encoder, decoder, feeds.encoder, feeds.decoder)
    carry_half_cache(repository)
    for graph in graphs:
        check_weights(fp32 / graph, repository / graph)
    return conversion


def _feature_extractor(kind: ModelKind, repository: Path) -> Path:
    (model,) = (name for name in kind.files if name.endswith("feature_extractor"))
    return repository / model / VERSION


def error_rate(expected: Sequence[str], texts: Sequence[str]) -> float:
    """Return the character error rate, spaces left out; 0 where nothing is expected.

    A small model may well hear nothing in what it is tried with.
    """
    return character_error_rate(expected, texts) if any(map(str.split, expected)) else 0.0
