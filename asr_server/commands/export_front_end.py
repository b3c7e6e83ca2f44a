"""Writes the streaming encoder's front end as an ONNX graph of its own: LFR, CMVN, positions.

    triton-asr-server export-front-end lfr_cmvn_pe.onnx --from DIRECTORY
    triton-asr-server export-front-end lfr_cmvn_pe.onnx --mvn am.mvn --output-size 512

DIRECTORY is an exported streaming Paraformer: `config.yaml` and `am.mvn`. `prepare` puts the
same nodes in front of the encoder, so serving does not need this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error
from asr_server.extras import MissingExtraError, require


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Write the file named on the command line; return 0, or 1 where the model is refused."""
    from asr_core.features import LFR_SHIFT, LFR_WINDOW

    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--from", dest="source", type=Path, help="directory of the model")
    parser.add_argument("--mvn", type=Path, help="default: am.mvn in that directory")
    parser.add_argument("--output-size", type=int, help="width of the encoder, without --from")
    parser.add_argument("--mel-bins", type=int, default=80, help="without --from; %(default)s")
    parser.add_argument("--lfr-m", type=int, default=LFR_WINDOW, help="the same; %(default)s")
    parser.add_argument("--lfr-n", type=int, default=LFR_SHIFT, help="the same; %(default)s")
    options = parser.parse_args(arguments)
    if options.source is None and (options.mvn is None or options.output_size is None):
        parser.error("expected --from DIRECTORY, or --mvn and --output-size")
    try:
        require("server")
        import onnx

        from asr_core.features import load_cmvn
        from asr_server.graphs import FrontEnd, front_end_model, load_front_end

        if options.source is not None:
            front_end = load_front_end(options.source, options.mvn)
        else:
            front_end = FrontEnd(
                load_cmvn(options.mvn),
                options.output_size,
                options.mel_bins,
                options.lfr_m,
                options.lfr_n,
            )
        onnx.save(front_end_model(front_end), str(options.target))
    except (MissingExtraError, OSError, ValueError) as error:
        return report_error(parser, error)
    return 0
