"""`triton-asr mic`: recognises what a microphone hears."""

from __future__ import annotations

import argparse
import math
import sys
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import SessionLost
from ..options import READY_TIMEOUT_S
from .arguments import add_connection_options, add_streaming_options
from .common import EXIT_OK, ClientFactory, MicrophoneError, files_read, read_hotwords
from .ending import stopped_by_ctrl_c
from .live_output import LiveLine, LiveOutput
from .microphone import Microphone, input_devices
from .output import open_output
from .stream import watch

_REDRAW_S = 0.1
_METER_CELLS = 8
_METER_FLOOR_DB = -60.0  # below: no bar at all


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "Recognise what a microphone hears until Ctrl-C, and print the text. On a "
        "terminal the text is shown as it grows, behind a level meter."
    )
    parser.add_argument("--list-devices", action="store_true", help="list microphones and stop")
    parser.add_argument(
        "--device",
        type=_device,
        metavar="DEVICE",
        help="number or part of the name of a microphone (default: the system's)",
    )
    add_connection_options(parser)
    add_streaming_options(parser)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Recognise until Ctrl-C and return the exit code."""
    if options.list_devices:
        lines = input_devices()
        if not lines:
            raise MicrophoneError("PortAudio finds no device that can record")
        print("\n".join(lines))
        return EXIT_OK
    hotwords = read_hotwords(options.hotword)
    microphone = Microphone(options.device)
    with (
        client_factory(options.url, options.timeout, options.ca_file) as client,
        open_output(options.output, files_read(options)) as out,
    ):
        client.check_ready(options.model, timeout_s=min(options.timeout, READY_TIMEOUT_S))
        output = LiveOutput(options.format, out, labelled=False)
        line = LiveLine(sys.stderr)
        session = client.stream(
            model=options.model,
            chunk_size=options.chunk_size,
            language=options.language,
            hotwords=hotwords,
        )
        try:
            with session, microphone, stopped_by_ctrl_c() as stop:
                watch(session, partial(output.update, microphone.name))
                print(f"listening to {microphone.name}, Ctrl-C ends", file=sys.stderr)
                while not stop.is_set():
                    frames = microphone.read(_REDRAW_S)
                    if not frames.size and not microphone.is_recording:
                        raise MicrophoneError(f"{microphone.name} has stopped recording")
                    session.send(frames, sample_rate=microphone.sample_rate)
                    line.draw(session.text, prefix=f"[{level_meter(frames)}] ")
                session.send(microphone.stop(), sample_rate=microphone.sample_rate)
                transcript = session.finish()
        except (SessionLost, MicrophoneError):
            line.clear()
            if session.text:
                output.text(microphone.name, session.text)  # what there is is not thrown away
            raise
        finally:
            line.clear()
        output.result(microphone.name, transcript)
    for warning in transcript.warnings:
        print(f"{microphone.name}: warning: {warning}", file=sys.stderr)
    if microphone.lost_s:
        print(f"{microphone.lost_s:.1f} s or more were not heard: too slow", file=sys.stderr)
    return EXIT_OK


def level_meter(frames: NDArray[np.float32]) -> str:
    """Return a bar for the peak of [samples, channels] in [-1, 1], from -60 dB to full scale."""
    peak = float(np.abs(frames).max(initial=0.0))
    level_db = 20 * math.log10(peak) if peak > 0 else _METER_FLOOR_DB
    share = 1 - min(max(level_db / _METER_FLOOR_DB, 0.0), 1.0)
    cells = round(share * _METER_CELLS)
    return "#" * cells + " " * (_METER_CELLS - cells)


def _device(text: str) -> int | str:
    """Parse a device: its number or a part of its name."""
    return int(text) if text.isdigit() else text
