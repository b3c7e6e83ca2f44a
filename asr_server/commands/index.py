"""Lists the models in the repositories of a server that runs here, and which are loaded.

triton-asr-server index
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_server.commands.model_control import model_control, parser
from asr_server.commands.output import report_error, report_line
from asr_server.run import TritonServerError


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    command = parser(prog, __doc__)
    options = command.parse_args(arguments)
    try:
        entries = model_control(options.http_port).index()
    except TritonServerError as error:
        return report_error(command, error)
    for entry in sorted(entries, key=lambda each: str(each["name"])):
        state = entry.get("state", "not loaded")
        reason = entry.get("reason", "")
        report_line(f"{entry['name']:32}{state.lower():14}{reason}".rstrip())
    return 0
