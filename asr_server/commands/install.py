"""The command line of `scripts.install_model`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, get_args

from asr_server.commands.prepare import PrepareError, Report
from asr_server.errors import InstallError
from asr_server.file_hashes import hash_file
from asr_server.install import agreement
from asr_server.install.agreement import Agreement
from asr_server.install.installed import Material
from asr_server.install.into_repository import KINDS, ModelKind, install
from asr_server.install.layout import HOTWORD_FILES, ModelFiles, collect, graph_file
from asr_server.install.locate import Located, Wanted, locate
from asr_server.install.precision import (
    Choice,
    PrecisionReport,
    RecipeChoice,
    ServedPrecision,
    choose,
    install_converted,
)
from asr_server.install.store import (
    MANIFEST,
    find_model,
    list_models,
    new_entry,
    put_in_place,
    read_manifest,
)
from asr_server.models.published import PUBLISHED_MODELS, HubName
from asr_server.places import ROOT

STORE = ROOT / ".cache" / "models"
SAMPLES = ROOT / "embedded_models" / "samples"
EMBEDDED_NAME = "embedded"


def run(arguments: Sequence[str] | None) -> int:
    """Run a command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (InstallError, PrepareError, OSError) as error:
        print(f"install_model: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Install a model into a model repository.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for kind in KINDS.values():
        one = commands.add_parser(kind.name, help=f"install a {kind.name} model")
        one.set_defaults(command=_install, kind=kind)
        one.add_argument(
            "--from",
            dest="source",
            metavar="SOURCE",
            help="a directory, an id (owner/name) or a name FunASR knows; default: the embedded "
            "model, with --hub or --variant the published one",
        )
        one.add_argument("--hub", choices=get_args(HubName), help="default: where the id lies")
        one.add_argument("--revision", help="branch, tag or commit; default: the hub's")
        one.add_argument("--precision", choices=get_args(ServedPrecision), default="fp32")
        one.add_argument(
            "--recipe",
            choices=get_args(RecipeChoice),
            help="of int8: how it is made from fp32, or the published file; default: signed",
        )
        variants = sorted({m.variant for m in PUBLISHED_MODELS if m.kind == kind.name} - {""})
        one.add_argument("--variant", choices=variants, help="of the published models")
        one.add_argument(
            "--checkpoint", action="store_true", help="export model.pt here (needs torch, FunASR)"
        )
        one.add_argument(
            "--row-by-row", action="store_true", help="for graphs with an unknown pattern"
        )
        one.add_argument("--name", help="in the store; default: made from the source")
        one.add_argument(
            "--wav", type=Path, nargs="+", help="verify on these (16 kHz); default: the samples"
        )
        _add_places(one)
    listing = commands.add_parser("list", help="list the models that are kept")
    listing.set_defaults(command=_list)
    use = commands.add_parser("use", help="put a model that is kept into the repository")
    use.set_defaults(command=_use)
    use.add_argument("kind", choices=KINDS)
    use.add_argument("name")
    for one in (listing, use):
        _add_places(one)
    return parser


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, default=STORE, help="default: %(default)s")
    parser.add_argument("--repository", type=Path, help="default: the project's own")


def _install(options: argparse.Namespace) -> None:
    kind: ModelKind = options.kind
    repository = _repository(options, kind)
    source = options.source
    if source is None and options.hub is None and options.variant is None:
        if not kind.embedded.is_dir():
            raise InstallError(f"no small {kind.name} model comes with the project: give --from")
        source = str(kind.embedded)
    choice = choose(kind, options.precision, options.recipe, source)
    recordings = agreement.read_recordings(options.wav or sorted(SAMPLES.glob("*.wav")))
    material = Material(recordings, agreement.read_texts(SAMPLES / "transcripts.tsv"))
    graphs = [graph.stem for graph in kind.graphs]
    wanted = Wanted(
        kind.name,
        graphs,
        choice.of_files,
        source,
        options.hub,
        options.revision,
        options.variant,
        options.checkpoint,
    )
    with tempfile.TemporaryDirectory(prefix="install-") as work:
        exported, links = Path(work) / "exported", Path(work) / "files"
        exported.mkdir()
        links.mkdir()
        located = locate(wanted, exported, _say)
        name = options.name or _name(kind, located, choice.precision)
        tables = {name for names in kind.files.values() for name in names}
        tables.update(name for graph in kind.graphs for name in graph.files)
        files = collect(
            located.directories,
            links,
            graphs,
            tables,
            choice.of_files,
            [*kind.unsupported, *HOTWORD_FILES],
        )
        with new_entry(options.store, kind.name, name) as entry:
            cost = None
            if choice.is_converted:
                reports, cost = install_converted(kind, links, entry, choice, material)
            else:
                first = graph_file(graphs[0], choice.of_files)
                reports = install(kind, links, entry, first, options.row_by_row)
            _say_prepared(reports)
            if cost is not None:
                _say(str(cost))
            found = None
            if agreement.can_compare(kind.name):
                found = agreement.compare(kind.name, entry, links, choice.of_files, material)
                _say(f"verified against funasr_onnx: {found}")
                agreement.check(found, choice.precision)
            else:
                _say(_not_compared(kind.name))
            _write_manifests(kind, entry, name, located, files, choice, cost, found)
    put_in_place(options.store / kind.name / name, repository)
    _say(f"{kind.name}: installed {located.title} ({choice.precision}) in {repository} as {name}")


def _name(kind: ModelKind, located: Located, precision: ServedPrecision) -> str:
    embedded = located.origin.get("directory") == str(kind.embedded.resolve())
    name = EMBEDDED_NAME if embedded else located.title.replace("/", "--")
    return name if precision == "fp32" else f"{name}-{precision}"


def _say_prepared(reports: Sequence[Report]) -> None:
    for report in reports:
        rows = int(report.figures.get("original_rows", 0))
        difference = report.figures.get("original_max_score_difference")
        compared = (
            ""
            if difference is None
            else (f"; {rows} rows equal the original's, scores within {difference:.1g}")
        )
        _say(f"prepared {report.kind}, {report.precision}{compared}")
        for message in report.messages:
            _say(f"  {message}")


def _not_compared(kind: str) -> str:
    reason = "funasr_onnx is not installed (pip install funasr-onnx)"
    if kind not in agreement.LOADERS:
        reason = f"there is no comparison for {kind} models"
    return f"not verified against funasr_onnx: {reason}; compared with the original graph only"


def _write_manifests(
    kind: ModelKind,
    entry: Path,
    name: str,
    located: Located,
    files: ModelFiles,
    choice: Choice,
    cost: PrecisionReport | None,
    found: Agreement | None,
) -> None:
    """Record in each graph's folder what was installed and how it was verified."""
    common: dict[str, Any] = {
        "kind": kind.name,
        "name": name,
        "source": located.origin,
        "precision": choice.precision,
        "recipe": choice.recipe,
        "precision_report": None if cost is None else cost.as_dict(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "source_sha256": {file: hash_file(path) for file, path in files.originals.items()},
        "installed_sha256": {
            path.relative_to(entry).as_posix(): hash_file(path)
            for path in sorted(entry.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        },
        "funasr_onnx_agreement": None if found is None else asdict(found),
    }
    for path in entry.glob(f"*/*/{MANIFEST}"):
        prepared = json.loads(path.read_text(encoding="utf-8"))
        text = json.dumps({**prepared, **common}, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def _list(options: argparse.Namespace) -> None:
    models = list_models(options.store)
    if not models:
        _say(f"{options.store}: no models")
    for model in models:
        manifest = model.manifest()
        known = [kind for kind in KINDS.values() if kind.name == model.kind]
        current = read_manifest(_repository(options, known[0]), model.kind) if known else None
        in_use = current is not None and _identity(current) == _identity(manifest)
        source = manifest.get("source", {})
        origin = source.get("repository") or source.get("directory", "")
        revision = f"@{source['revision']}" if "revision" in source else ""
        mark = "*" if in_use else " "
        _say(
            f"{mark} {model.kind:18} {model.name}  {manifest.get('precision')}  "
            f"{origin}{revision}  {manifest.get('date')}"
        )


def _identity(manifest: Mapping[str, Any]) -> tuple[Any, Any]:
    return manifest.get("name"), manifest.get("installed_sha256")


def _use(options: argparse.Namespace) -> None:
    model = find_model(options.store, options.kind, options.name)
    repository = _repository(options, KINDS[options.kind])
    put_in_place(model.directory, repository)
    _say(f"{model.kind}: {model.name} is in {repository}; start the server anew")


def _repository(options: argparse.Namespace, kind: ModelKind) -> Path:
    repository: Path = options.repository or ROOT / kind.repository
    return repository


def _say(text: str) -> None:
    print(text, flush=True)
