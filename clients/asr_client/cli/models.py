"""`triton-asr models`: lists the models that are ready."""

from __future__ import annotations

import argparse
from typing import Any

from .common import EXIT_OK, ClientFactory, add_connection_options


def add_parser(commands: Any) -> None:
    """Add the sub-command to the command line."""
    parser = commands.add_parser(
        "models",
        help="list the models that are ready",
        description="List the models that the server reports as ready, one a line: "
        "name, tab, version.",
    )
    add_connection_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Print the ready models and return the exit code."""
    with client_factory(options.url, options.timeout, options.ca_file) as client:
        for model in sorted(client.models(), key=lambda model: model.name):
            print(f"{model.name}\t{model.version}")
    return EXIT_OK
