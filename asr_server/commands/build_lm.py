"""Makes a language model of a text, with the tokens of a recogniser that is installed.

    triton-asr-server build-lm paraformer texts.txt --out texts.arpa
    triton-asr-server install lm --from texts.arpa --for paraformer

The text has a sentence a line, as the recogniser is to write it: SenseVoice's with marks and
capitals where it writes them, Paraformer's without (its marks are left out). The model is one of
n-grams, in ARPA's form, estimated by modified Kneser-Ney smoothing; every token of the recogniser
keeps a probability.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error, report_line
from asr_server.errors import InstallError
from asr_server.extras import require
from asr_server.models import KINDS, set_up_home
from asr_server.models.language_models import RECOGNISERS
from asr_server.places import home


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = _parser(prog)
    options = parser.parse_args(arguments)
    try:
        require("server")
        set_up_home(report_line)
        _build(options)
    except Exception as error:  # a text is somebody's file: a refusal, never a traceback
        return report_error(parser, error)
    return 0


def _parser(prog: str | None) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=RECOGNISERS, help="the recogniser whose tokens to take")
    parser.add_argument(
        "texts", type=Path, nargs="+", help="UTF-8, a sentence a line; .gz is unpacked"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="the file to write; .arpa, or .arpa.gz to pack it"
    )
    parser.add_argument(
        "--order", type=int, default=3, help="tokens of the longest n-grams; default: %(default)s"
    )
    parser.add_argument(
        "--min-count",
        type=int,
        default=1,
        help="leave out n-grams of three tokens or more that occur less often; default: none",
    )
    parser.add_argument("--repository", type=Path, help="default: the project's own")
    return parser


def _build(options: argparse.Namespace) -> None:
    from asr_core.language_models import estimate, write_arpa
    from asr_server.install.recogniser_tokens import TextTokens

    if not options.out.name.endswith((".arpa", ".arpa.gz")):
        raise InstallError(f"{options.out}: expected a name that ends in .arpa or .arpa.gz")
    repository = options.repository or home() / KINDS[options.kind].repository
    texts = TextTokens(options.kind, repository)
    lines = (line for path in options.texts for line in _lines(path))
    ngrams = estimate(texts.lines(lines), texts.tokens, options.order, options.min_count)
    ngrams = dataclasses.replace(ngrams, made_for=texts.made_for)
    with tempfile.TemporaryDirectory(dir=options.out.absolute().parent, prefix=".lm-") as scratch:
        unfinished = Path(scratch) / options.out.name
        write_arpa(ngrams, unfinished)
        os.replace(unfinished, options.out)
    sizes = " + ".join(f"{size:,}" for size in ngrams.sizes)
    report_line(f"{options.out}: n-grams {sizes}")
    if texts.unknown:
        report_line(
            f"{texts.unknown:,} characters or words are none of {options.kind}'s tokens (<unk>)"
        )


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file that may be larger than memory."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            yield from file
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise InstallError(f"{path}: expected text in UTF-8, got {error}") from None
