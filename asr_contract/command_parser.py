"""How a console command says that its options are wrong: in two lines, without the whole usage."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

EXIT_USAGE = 2  # as argparse


class CommandParser(argparse.ArgumentParser):
    """Parses options as argparse does; what is wrong is said as "expected …; got …"."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is, and exit with 2."""
        self.exit(
            EXIT_USAGE,
            f"{self.prog}: {message.removeprefix('argument ')}\n"
            f"See {self.prog} --help for the options.\n",
        )

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        if action.type is int:
            try:
                return int(arg_string)
            except ValueError:
                message = f"expected a whole number; got {arg_string!r}"
                raise argparse.ArgumentError(action, message) from None
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            expected = ", ".join(map(str, action.choices))
            raise argparse.ArgumentError(action, f"expected one of {expected}; got {value!r}")


def describe_os_error(error: OSError) -> str:
    """Return what the system says of a file, "NAME: reason", without Python's error number."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename is not None else reason
