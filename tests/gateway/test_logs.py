"""The gateway's log holds nobody up."""

from __future__ import annotations

import json
import subprocess
import sys

LINES = 60_000

_LOGGING = f"""
from asr_gateway.shared.logs import log_event, set_up_logging
set_up_logging()
for number in range({LINES}):
    log_event("said", number=number)
print("all said", flush=True)
input()
log_event("the end")
"""


def test_a_log_that_nobody_reads_holds_nobody_up():
    """Lines that find no room are counted; what is written is whole."""
    process = subprocess.Popen(
        [sys.executable, "-c", _LOGGING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "all said\n"  # though its stderr is full
    _, log = process.communicate("\n", timeout=60)
    entries = [json.loads(line) for line in log.splitlines()]
    numbers = [entry["number"] for entry in entries if entry["event"] == "said"]
    ends = sum(entry["event"] == "the end" for entry in entries)
    lost = sum(entry["count"] for entry in entries if entry["event"] == "log lines left out")
    assert numbers == sorted(numbers)
    assert len(numbers) + ends + lost == LINES + 1
    assert lost > 0


def test_the_last_lines_are_written():
    done = subprocess.run(
        [sys.executable, "-c", _LOGGING.replace(str(LINES), "500")],
        input="\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == ["said"] * 500 + ["the end"]
