"""`triton-asr models`: lists the models that are ready."""

from __future__ import annotations

import argparse

from .arguments import add_connection_options
from .common import EXIT_OK, ClientFactory


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "List the models that are ready on the server, one per line: name, tab, version."
    )
    add_connection_options(parser)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Print the ready models and return the exit code."""
    with client_factory(options.url, options.timeout, options.ca_file) as client:
        for model in sorted(client.models(), key=lambda model: model.name):
            print(f"{model.name}\t{model.version}")
    return EXIT_OK
