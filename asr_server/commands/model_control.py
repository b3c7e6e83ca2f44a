"""What the commands `index`, `load` and `unload` share: the way to a server that runs here."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from asr_contract.command_parser import CommandParser
from asr_server.commands.output import report_error, report_line
from asr_server.models import models_of
from asr_server.run import READY_TIMEOUT_S, ModelControl, Ports, Sockets, TritonServerError
from asr_server.run.open_triton import KEY_HEADER, control_key
from asr_server.sockets import HTTP_SOCKET, models_held, socket_folder

Change = Callable[[ModelControl, str], None]

_LOOK_S = 0.1


def parser(prog: str | None, description: str | None) -> argparse.ArgumentParser:
    """Return a parser that asks for the server."""
    command = CommandParser(
        prog=prog, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument(
        "--http-port", type=int, default=8000, help="of the server; default: %(default)s"
    )
    return command


def model_control(http_port: int) -> ModelControl:
    """Return the way to the control of a server that this user started on this machine.

    Raises:
        TritonServerError: there is none.
    """
    folder = socket_folder(http_port)
    if (folder / HTTP_SOCKET).exists():
        return ModelControl(Sockets(folder).connection)
    if key := control_key(folder):
        return ModelControl(Ports("127.0.0.1", [http_port, 0, 0]).connection, {KEY_HEADER: key})
    raise TritonServerError(
        f"no server of this user with HTTP port {http_port} runs here ({folder} has no socket); "
        "--http-port names another"
    )


def change_models(
    arguments: Sequence[str] | None, prog: str | None, description: str | None, change: Change
) -> int:
    """Run a command that changes models one by one; return the exit status."""
    command = parser(prog, description)
    command.add_argument("names", nargs="+", metavar="NAME", help="models, or kinds of them")
    options = command.parse_args(arguments)
    try:
        control = model_control(options.http_port)
        models = [each for name in options.names for each in _in_order(name, change)]
        with models_held(socket_folder(options.http_port)):
            _check_there(models, control)
            for model in models:
                begun_s = time.monotonic()
                change(control, model)
                report_line(f"{model}  {time.monotonic() - begun_s:.1f} s")
    except TritonServerError as error:
        return report_error(command, error)
    return 0


def _check_there(models: Sequence[str], control: ModelControl) -> None:
    """Raise TritonServerError if a model is in no repository: Triton unloads it without a word."""
    there = {str(entry["name"]) for entry in control.index()}
    if absent := [model for model in models if model not in there]:
        raise TritonServerError(
            f"no model {absent[0]!r} is in the repositories; the command index lists them"
        )


def load(control: ModelControl, model: str) -> None:
    """Load a model; one that cannot be loaded leaves the server ready.

    Raises:
        TritonServerError: it cannot be loaded, or not in time.
    """
    try:
        control.load(model, READY_TIMEOUT_S)
    except TritonServerError:
        # One that was loaded before goes on.
        if any(e["name"] == model and e.get("state") == "UNAVAILABLE" for e in control.index()):
            control.load_nothing(model, READY_TIMEOUT_S)
            unload(control, model)
        raise


def unload(control: ModelControl, model: str) -> None:
    """Unload a model, and wait for the end of what it has under way: Triton is not ready before.

    Raises:
        TritonServerError: that cannot be done, or not in time.
    """
    control.unload(model, READY_TIMEOUT_S)
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while any(e["name"] == model and e.get("state") == "UNLOADING" for e in control.index()):
        if time.monotonic() > deadline_s:
            raise TritonServerError(f"{model} still has requests after {READY_TIMEOUT_S:g} s")
        time.sleep(_LOOK_S)


def _in_order(name: str, change: Change) -> list[str]:
    """Return the models that go together: the one that chains others is loaded last."""
    models = models_of(name)
    return models if change is unload else models[::-1]
