"""What `install` does with language models: `install lm`, and their part of `list` and `use`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from asr_server.commands.output import report_line
from asr_server.models import KINDS, HubName
from asr_server.models.language_models import NONE, RECOGNISERS, STORED_KINDS
from asr_server.places import home, store

_DESCRIPTION = """Puts a language model beside a recogniser, whose texts it weighs from then on.

    triton-asr-server build-lm paraformer texts.txt --out texts.arpa
    triton-asr-server install lm --from texts.arpa --for paraformer
    triton-asr-server install lm --from iic/speech_ngram_lm_zh-cn-ai-wesp-fst

It comes from a file: n-grams of the recogniser's own tokens as an ARPA file (also .gz) or in
KenLM's binary form; or from a directory or a hub with such a file, or with a graph as FunASR
publishes them (TLG.fst, lexicon.txt, config.yaml; for paraformer). `install use lm-paraformer none`
takes it away.
"""


def add_parser(commands: Any) -> None:
    """Add `install lm` to the sub-commands of `install`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "lm",
        help="install a language model beside a recogniser",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=_install)
    parser.add_argument(
        "--from",
        dest="source",
        metavar="SOURCE",
        required=True,
        help="a file, a directory, an id (owner/name) or the name of a published one",
    )
    parser.add_argument(
        "--for",
        dest="kind",
        choices=RECOGNISERS,
        help="default: the only recogniser here whose tokens it has",
    )
    parser.add_argument("--hub", choices=get_args(HubName), help="default: modelscope")
    parser.add_argument("--revision", help="branch, tag or commit; default: the hub's")
    parser.add_argument("--name", help="in the store; default: made from the source")
    parser.add_argument("--weight", default=0.1, type=float, help="of n-grams; default: 0.1")
    parser.add_argument(
        "--insertion-bonus",
        default=0.0,
        type=float,
        help="for each token, of n-grams; default: 0",
    )
    parser.add_argument("--am-scale", default=10.0, type=float, help="of a graph; default: 10")
    parser.add_argument("--global-beam", default=3.0, type=float, help="of a graph; default: 3")
    parser.add_argument("--store", type=Path, default=store(), help="default: %(default)s")
    parser.add_argument("--repository", type=Path, help="default: the project's own")


def use(options: argparse.Namespace) -> None:
    """Put a language model that is kept beside its recogniser, or take it away."""
    from asr_server.install.language_models import use_language_model

    kind = STORED_KINDS[options.kind]
    repository = options.repository or home() / KINDS[kind].repository
    use_language_model(options.store, repository, kind, options.name)
    what = "no language model" if options.name == NONE else options.name
    report_line(f"{options.kind}: {what} is in {repository}; start the server anew")


def list_line(directory: Path, stored_kind: str, repository: Path | None) -> str:
    """Return what `install list` says of a language model that is kept."""
    from asr_server.install.language_models import language_model_in_use, read_kept

    kind = STORED_KINDS[stored_kind]
    kept = read_kept(directory)
    current = language_model_in_use(repository or home() / KINDS[kind].repository, kind)
    mark = "*" if current is not None and current == kept else " "
    source = kept.get("source", {})
    origin = source.get("repository") or source.get("path", "")
    return (
        f"{mark} {stored_kind:18} {directory.name}  {kept.get('form')}  {origin}  "
        f"{kept.get('date')}"
    )


def _install(options: argparse.Namespace) -> None:
    from asr_core.language_models import TlgOptions
    from asr_server.install.language_models import LanguageModelOrder, install_language_model

    order = LanguageModelOrder(
        options.source,
        options.kind,
        {kind: options.repository or home() / KINDS[kind].repository for kind in RECOGNISERS},
        options.store,
        options.hub,
        options.revision,
        options.name,
        options.weight,
        options.insertion_bonus,
        TlgOptions(options.am_scale, options.global_beam),
    )
    install_language_model(order, report_line)
