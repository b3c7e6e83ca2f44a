"""Puts a model into a model repository, so that Triton can load it.

    triton-asr-server install sensevoice --from iic/SenseVoiceSmall
    triton-asr-server install paraformer --from DIRECTORY --precision int8
    triton-asr-server install list
    triton-asr-server install use paraformer NAME
    triton-asr-server install lm --from FILE --for paraformer
    triton-asr-server install use lm-paraformer NAME

The model comes from ModelScope, Hugging Face or a directory laid out as FunASR's exporter and the
hubs lay it out. Its graphs are prepared for serving (`triton-asr-server prepare`), which proves the
result, and compared with `funasr_onnx` on recordings; a model that fails leaves the installed one
as it was. A language model stays beside its recogniser until another one is put there, or
none: `install lm --help`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from asr_contract.command_parser import CommandParser
from asr_server.commands import install_lm
from asr_server.commands.machine import operators_here
from asr_server.commands.output import report_error, report_line
from asr_server.extras import require
from asr_server.models import (
    KINDS,
    PUBLISHED_MODELS,
    Device,
    HubName,
    ModelKind,
    OnnxRuntime,
    RecipeChoice,
    ServedPrecision,
    set_up_home,
)
from asr_server.models.language_models import NONE, STORED_KINDS
from asr_server.places import home, store


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    try:
        require("server")
        set_up_home(report_line)
        command(options)
    except Exception as error:  # a model is somebody's files: a refusal, never a traceback
        return report_error(parser, error)
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for kind in KINDS.values():
        one = commands.add_parser(kind.name, help=f"install a model of the kind {kind.name}")
        one.set_defaults(command=_install, kind=kind)
        _add_model_options(one, kind)
        _add_places(one)
    install_lm.add_parser(commands)
    listing = commands.add_parser("list", help="list the installed models")
    listing.set_defaults(command=_list)
    use = commands.add_parser("use", help="switch to another installed model")
    use.set_defaults(command=_use)
    use.add_argument("kind", choices=[*KINDS, *STORED_KINDS])
    use.add_argument("name", help=f"as listed; for a language model also '{NONE}'")
    for one in (listing, use):
        _add_places(one)
    return parser


def _add_model_options(parser: argparse.ArgumentParser, kind: ModelKind) -> None:
    parser.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="directory, id on a hub (owner/name) or name that FunASR knows; default: the embedded "
        "model, with --hub or --variant the published one",
    )
    parser.add_argument("--hub", choices=get_args(HubName), help="default: the hub that has the id")
    parser.add_argument("--revision", help="branch, tag or commit; default: the hub's")
    parser.add_argument(
        "--precision",
        choices=get_args(ServedPrecision),
        default="fp32",
        help="int8 for CPUs, fp16 for GPUs; default: %(default)s",
    )
    parser.add_argument(
        "--recipe",
        choices=get_args(RecipeChoice),
        help="for int8: how it is made from fp32, or the published file; default: signed",
    )
    variants = sorted({m.variant for m in PUBLISHED_MODELS if m.kind == kind.name} - {""})
    if variants:
        parser.add_argument("--variant", choices=variants, help="variant of the published model")
    parser.set_defaults(variant=None)
    parser.add_argument(
        "--checkpoint", action="store_true", help="export model.pt (needs torch and FunASR)"
    )
    parser.add_argument(
        "--row-by-row",
        action="store_true",
        help="run the rows of a batch one by one, for graphs of unknown structure",
    )
    parser.add_argument(
        "--device",
        choices=get_args(Device),
        help="gpu adds a graph for GPUs to the CPU's; default: gpu with fp16, else cpu",
    )
    parser.add_argument(
        "--onnxruntime",
        choices=get_args(OnnxRuntime),
        help="oldest ONNX Runtime that must read the graph for GPUs; 1.25 is faster; default: 1.25 "
        "if the one that serves here is new enough, 1.19 in a container with Triton's own",
    )
    parser.add_argument("--name", help="name in the store; default: made from the source")
    parser.add_argument(
        "--wav",
        type=Path,
        nargs="+",
        help="recordings (16 kHz) to compare on; default: the samples",
    )
    parser.add_argument(
        "--proof",
        nargs=2,
        action="append",
        default=[],
        metavar=("WAV", "TEXT"),
        help="a recording (16 kHz) and its text, which the model must recognise; may be repeated; "
        "always: the example that comes with the model, if its text is known",
    )


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--store", type=Path, default=store(), help="default: %(default)s")
    parser.add_argument("--repository", type=Path, help="default: the project's own")


def _install(options: argparse.Namespace) -> None:
    from asr_server.install import Order, carry_out

    order = Order(
        options.kind,
        options.store,
        _repository(options, options.kind),
        source=options.source,
        hub=options.hub,
        revision=options.revision,
        precision=options.precision,
        recipe=options.recipe,
        variant=options.variant,
        from_checkpoint=options.checkpoint,
        row_by_row=options.row_by_row,
        device=options.device,
        onnxruntime=options.onnxruntime or "1.19",
        name=options.name,
        wavs=options.wav or (),
        proofs=[(Path(wav), text) for wav, text in options.proof],
    )
    if options.onnxruntime is None and order.target == "gpu":
        order = replace(order, onnxruntime=operators_here())
    carry_out(order, report_line)


def _list(options: argparse.Namespace) -> None:
    from asr_server.install import list_models, read_manifest

    models = list_models(options.store)
    if not models:
        report_line(f"{options.store}: no models")
    for model in models:
        if model.kind in STORED_KINDS:
            report_line(install_lm.list_line(model.directory, model.kind, options.repository))
            continue
        manifest = model.manifest()
        known = KINDS.get(model.kind)
        current = read_manifest(_repository(options, known), model.kind) if known else None
        in_use = current is not None and _identity(current) == _identity(manifest)
        source = manifest.get("source", {})
        origin = source.get("repository") or source.get("directory", "")
        revision = f"@{source['revision']}" if "revision" in source else ""
        mark = "*" if in_use else " "
        report_line(
            f"{mark} {model.kind:18} {model.name}  {manifest.get('precision')}  "
            f"{origin}{revision}  {manifest.get('date')}"
        )


def _identity(manifest: Mapping[str, Any]) -> tuple[Any, Any]:
    return manifest.get("name"), manifest.get("installed_sha256")


def _use(options: argparse.Namespace) -> None:
    if options.kind in STORED_KINDS:
        install_lm.use(options)
        return
    from asr_server.install import find_model, put_in_place

    model = find_model(options.store, options.kind, options.name)
    repository = _repository(options, KINDS[options.kind])
    put_in_place(model.directory, repository)
    report_line(f"{model.kind}: {model.name} is in {repository}; start the server anew")


def _repository(options: argparse.Namespace, kind: ModelKind) -> Path:
    repository: Path = options.repository or home() / kind.repository
    return repository
