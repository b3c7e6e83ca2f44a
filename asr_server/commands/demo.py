"""Shows the whole way: embedded models installed, server started, samples recognised, stopped.

triton-asr-server demo
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from asr_contract.command_parser import CommandParser
from asr_server.commands.machine import fit_to_machine
from asr_server.commands.output import report_error, report_line
from asr_server.commands.serve import install_missing, load_what_is_installed
from asr_server.errors import InstallError
from asr_server.extras import MissingExtraError, require
from asr_server.models import default_repositories, set_up_home
from asr_server.places import log_file
from asr_server.run import READY_TIMEOUT_S, TritonServer, TritonServerError, find_installation


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the demonstration; return the exit status."""
    parser = CommandParser(
        prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    try:
        require("gateway")
        installation = find_installation()
        set_up_home(report_line)
        repositories = default_repositories()
        instances = fit_to_machine(installation, repositories, report_line)
        install_missing(repositories)
        log = log_file("demo-server.log")
        with TritonServer(
            repositories,
            log=log,
            flags=load_what_is_installed(repositories, ()),
            installation=installation,
            instances=instances,
        ) as server:
            server.wait_ready(READY_TIMEOUT_S)
            report_line(f"tritonserver is ready: http://{server.http_url} grpc://{server.grpc_url}")
            _show(f"grpc://{server.grpc_url}")
    except (MissingExtraError, TritonServerError, InstallError, OSError) as error:
        return report_error(parser, error)
    report_line("\nserver stopped")
    return 0


def _show(triton_url: str) -> None:
    from asr_server.commands.demo_client import read_samples, show_client
    from asr_server.commands.demo_gateway import show_gateway

    show_client(triton_url)
    show_gateway(triton_url, read_samples()[0][0])
