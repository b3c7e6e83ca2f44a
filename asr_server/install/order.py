"""One order to install a model, from what the user names to what lies in the repository."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asr_server.errors import InstallError
from asr_server.graphs import PrepareError, Report
from asr_server.install import agreement
from asr_server.install.installed import Material
from asr_server.install.into_repository import install, put_beside
from asr_server.install.layout import HOTWORD_FILES, collect, graph_file
from asr_server.install.locate import Located, Wanted, locate
from asr_server.install.manifest import Made, Verification, write_manifests
from asr_server.install.precision import Choice, choose, install_converted
from asr_server.install.reading import (
    Spoken,
    given_proofs,
    not_proved,
    prove_by_speech,
    shipped_proofs,
)
from asr_server.install.rounding import check_published
from asr_server.install.store import new_entry, put_in_place
from asr_server.models import (
    EMBEDDED_NAME,
    Device,
    HubName,
    ModelKind,
    OnnxRuntime,
    RecipeChoice,
    ServedPrecision,
)
from asr_server.places import SAMPLES
from asr_server.recordings import read_recordings


@dataclass(frozen=True)
class Order:
    """What to install, how, and where to.

    Attributes:
        kind: of the model.
        store: keeps it under its name.
        repository: serves it.
        source: a directory, an id (owner/name) or a name FunASR knows; None for the published
            default where `hub` or `variant` is given, else for the embedded model.
        hub: where to look for an id, None where it usually lies.
        revision: branch, tag or commit.
        precision: to serve it in.
        recipe: of int8.
        variant: which published default.
        from_checkpoint: export `model.pt` here even if the ONNX was published.
        row_by_row: as in `prepare`.
        device: which the graphs are optimised for; None is a GPU for fp16, else the CPU. Beside a
            GPU's graph, of that precision, lies the CPU's, in fp32.
        onnxruntime: the oldest that has to read the graph for a GPU.
        name: in the store; None makes one from the source.
        wavs: recordings to verify it on (16 kHz); none takes the samples.
        proofs: recordings (16 kHz) and what is said in them, which the model must read, besides
            those it ships.
    """

    kind: ModelKind
    store: Path
    repository: Path
    source: str | None = None
    hub: HubName | None = None
    revision: str | None = None
    precision: ServedPrecision = "fp32"
    recipe: RecipeChoice | None = None
    variant: str | None = None
    from_checkpoint: bool = False
    row_by_row: bool = False
    device: Device | None = None
    onnxruntime: OnnxRuntime = "1.19"
    name: str | None = None
    wavs: Sequence[Path] = ()
    proofs: Sequence[tuple[Path, str]] = ()

    @property
    def target(self) -> Device:
        """The device that the graphs are optimised for."""
        return self.device or ("gpu" if self.precision == "fp16" else "cpu")


def carry_out(order: Order, say: Callable[[str], None]) -> None:
    """Find, download, export, prepare, convert, verify, keep and install a model.

    Args:
        order: which.
        say: takes lines for the user.

    Raises:
        InstallError: there is no such model, or it does not say what FunASR's runtime says.
        PrepareError: its graph cannot be served.
    """
    kind = order.kind
    source = _source(order)
    choice = choose(kind, order.precision, order.recipe, source)
    _check_device(order, choice)
    spoken = given_proofs(kind, order.proofs)
    recordings = read_recordings(order.wavs or sorted(SAMPLES.glob("*.wav")))
    material = Material(recordings, agreement.read_texts(SAMPLES / "transcripts.tsv"))
    graphs = [graph.stem for graph in kind.graphs]
    wanted = Wanted(
        kind.name,
        graphs,
        choice.of_files,
        source,
        order.hub,
        order.revision,
        order.variant,
        order.from_checkpoint,
        kind.checkpoint,
    )
    with tempfile.TemporaryDirectory(prefix="install-") as work:
        exported, links = Path(work) / "exported", Path(work) / "files"
        exported.mkdir()
        links.mkdir()
        located = locate(wanted, exported, say)
        name = order.name or _name(kind, located, choice.precision, order.target)
        optional = [*kind.unsupported, *HOTWORD_FILES]
        files = collect(located.directories, links, graphs, kind.tables, choice.of_files, optional)
        with (
            _named(links, located.directories[-1]),
            new_entry(order.store, kind.name, name) as entry,
        ):
            if choice.of_files == "int8":
                check_published(kind, located.directories, links)
            spoken += shipped_proofs(kind, located.directories)
            make = partial(_make, order, links, material=material, spoken=spoken, say=say)
            if order.target == "gpu":
                say("for the CPU:")
                on_cpu = make(entry, Choice("fp32"), "cpu")
                say(f"for a GPU, with ONNX Runtime {order.onnxruntime} or newer:")
                made = _make_beside(entry, kind, choice, make)
            else:
                made, on_cpu = make(entry, choice, "cpu"), None
            write_manifests(kind, entry, name, located, files, made, on_cpu)
    put_in_place(order.store / kind.name / name, order.repository)
    say(
        f"{kind.name}: installed {located.title} ({choice.precision}) in {order.repository} "
        f"as {name}"
    )


def _check_device(order: Order, choice: Choice) -> None:
    """Refuse a precision or an ONNX Runtime that makes no sense on the device.

    Raises:
        InstallError: which.
    """
    if order.target == "gpu" and choice.precision == "int8":
        raise InstallError(
            "--device gpu: expected --precision fp32 or fp16, got int8: on a GPU it "
            "is slower than fp32"
        )
    if order.target == "cpu" and order.onnxruntime != "1.19":
        raise InstallError(f"--onnxruntime {order.onnxruntime}: expected --device gpu")


def _make(
    order: Order,
    links: Path,
    target: Path,
    choice: Choice,
    device: Device,
    *,
    material: Material,
    spoken: Sequence[Spoken],
    say: Callable[[str], None],
) -> Made:
    """Prepare a model's graphs for one device, convert and verify them.

    Args:
        order: what to install.
        links: the files.
        target: gets graphs and tables, as a repository has them.
        choice: the precision.
        device: which.
        material: to try the model on.
        spoken: recordings that it must read.
        say: takes lines for the user.

    Raises:
        InstallError: it does not say what FunASR's runtime says.
        PrepareError: a graph cannot be served.
    """
    kind, cost = order.kind, None
    oldest: OnnxRuntime = order.onnxruntime if device == "gpu" else "1.19"
    if choice.is_converted:
        reports, cost = install_converted(kind, links, target, choice, material, device, oldest)
    else:
        first = graph_file(kind.graphs[0].stem, choice.of_files)
        reports = install(kind, links, target, first, order.row_by_row, device, oldest)
    _say_prepared(reports, say)
    if cost is not None:
        say(str(cost))
    verification = _verify(kind, target, links, choice, material, spoken, say)
    return Made(choice, reports, cost, verification)


def _make_beside(
    entry: Path, kind: ModelKind, choice: Choice, make: Callable[[Path, Choice, Device], Made]
) -> Made:
    """Make the graphs for a GPU, and put them beside those for the CPU."""
    with tempfile.TemporaryDirectory(dir=entry, prefix=".gpu-") as folder:
        made = make(Path(folder), choice, "gpu")
        put_beside(kind, Path(folder), entry)
    return made


@contextmanager
def _named(links: Path, directory: Path) -> Iterator[None]:
    """Name the user's directory in messages, and not the folder of links to it."""
    try:
        yield
    except (InstallError, PrepareError) as error:
        raise type(error)(str(error).replace(str(links), str(directory))) from error


def _source(order: Order) -> str | None:
    """Return what the user named, or the embedded model where no other is meant."""
    if order.source is not None or order.hub is not None or order.variant is not None:
        return order.source
    if not order.kind.embedded.is_dir():
        raise InstallError(f"no small {order.kind.name} model comes with the project: give --from")
    return str(order.kind.embedded)


def _verify(
    kind: ModelKind,
    entry: Path,
    files: Path,
    choice: Choice,
    material: Material,
    spoken: Sequence[Spoken],
    say: Callable[[str], None],
) -> Verification:
    """Compare with `funasr_onnx`, and read recordings, where that can be done; else say so."""
    found = None
    compared = _not_compared(kind.name)
    if agreement.can_compare(kind.name):
        found = agreement.compare(kind.name, entry, files, choice.of_files, material)
        # Below float32 a VAD's scores depend on the pieces in which they are computed, and two
        # ways to cut a recording have hardly a time in common where the scores are close.
        if kind.name != "vad" or choice.precision == "fp32":
            agreement.check(found, choice.precision)
        compared = f"verified against funasr_onnx: {found}"
    speech = prove_by_speech(kind, entry, spoken)
    say(f"{compared}; {speech or not_proved(kind)}")
    return Verification(found, speech)


def _name(kind: ModelKind, located: Located, precision: ServedPrecision, device: Device) -> str:
    embedded = located.origin.get("directory") == str(kind.embedded.resolve())
    name = EMBEDDED_NAME if embedded else located.title.replace("/", "--")
    if precision != "fp32":
        name += f"-{precision}"
    return f"{name}-gpu" if device == "gpu" and precision != "fp16" else name


def _say_prepared(reports: Sequence[Report], say: Callable[[str], None]) -> None:
    for report in reports:
        rows = int(report.figures.get("original_rows", 0))
        difference = report.figures.get("original_max_score_difference")
        compared = (
            ""
            if difference is None
            else (f"; {rows} rows equal the original's, scores within {difference:.1g}")
        )
        say(f"prepared {report.kind}, {report.precision}{compared}")
        for message in report.messages:
            say(f"  {message}")


def _not_compared(kind: str) -> str:
    reason = "funasr_onnx is not installed (pip install funasr-onnx)"
    if kind not in agreement.LOADERS:
        reason = f"there is no comparison for {kind} models"
    return f"not verified against funasr_onnx: {reason}; compared with the original graph only"
