"""The command line `triton-asr-server`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from asr_contract.command_parser import CommandParser
from asr_contract.entry import quick_end
from asr_contract.installed import installed_version

PROGRAM = "triton-asr-server"
COMMANDS = {
    "serve": "serve the model repositories with Triton",
    "index": "list the models of a server that runs here, and which are loaded",
    "load": "load models of a server that runs here",
    "unload": "unload models of a server that runs here",
    "install": "put a model into a repository; list those that are kept, switch between them",
    "prepare": "rewrite an exported graph for serving, and prove the result",
    "build-lm": "make a language model of a text, with a recogniser's tokens",
    "dynamic-threshold": "let an exported Paraformer fire the rounded sum of its weights",
    "convert": "write a prepared graph in int8 or float16",
    "configure-gpu": "switch a repository between CUDA and TensorRT",
    "export-front-end": "write the streaming front end as a graph",
    "demo": "run the embedded models on sample recordings, from installation to transcripts",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    width = max(map(len, COMMANDS))
    parser = CommandParser(
        prog=PROGRAM,
        description="Serve and install speech recognition models on Triton.",
        epilog="commands:\n"
        + "\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())
        + f"\n\n{PROGRAM} COMMAND --help lists the options of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {installed_version()}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    rest = parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, metavar="...", help="options of the command"
    )
    rest.required = False
    options = parser.parse_args(arguments)
    # Only the command that is asked for is imported: most need large packages.
    with quick_end():
        name = options.command.replace("-", "_")
        module = importlib.import_module(f"asr_server.commands.{name}")
    return int(module.main(options.arguments, f"{PROGRAM} {options.command}"))
