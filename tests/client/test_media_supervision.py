"""ffmpeg as a process: it waits, ends with whoever started it, and what it says is bounded."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest

from asr_client import AudioError, DecoderFailed
from asr_client.audio.loading import load_recording_async
from asr_client.audio.media import BLOCK_SAMPLES, MediaDecoder, find_ffmpeg
from asr_client.audio.media.log import MAX_LINE_BYTES, FfmpegLog
from tests.client.media_files import assert_clicks, children, collect, decode, endless_sox

pytestmark = pytest.mark.usefixtures("no_process_left")


def test_memory_is_bounded_and_nothing_is_decoded_ahead(tmp_path):
    path = endless_sox(tmp_path / "hours.sox", 9)

    async def take_a_little() -> None:
        async with MediaDecoder(path) as media:
            assert media.duration_s == pytest.approx(9 * 3600)
            blocks = aiter(media)
            before = psutil.Process().memory_info().rss
            for _ in range(3):
                assert len(await anext(blocks)) == BLOCK_SAMPLES
            (child,) = children()
            used_s = -1.0
            while used_s != sum(child.cpu_times()[:2]):  # until it waits for us
                used_s = sum(child.cpu_times()[:2])
                await asyncio.sleep(1)
            assert child.io_counters().read_chars < path.stat().st_size / 10
            # All of it would be 2 GB; what else runs in this process takes some.
            assert psutil.Process().memory_info().rss - before < 200e6
            assert child.memory_info().rss < 400e6
            await blocks.aclose()

    asyncio.run(take_a_little())


def test_leaving_in_any_way_stops_ffmpeg(tmp_path):
    path = endless_sox(tmp_path / "hours.sox", 9)

    async def leave(how: str) -> None:
        async with MediaDecoder(path) as media:
            assert len(children()) == 1
            async for _ in media:
                if how == "break":
                    break
                if how == "exception":
                    raise KeyError(how)
                if how == "cancel":
                    asyncio.current_task().cancel()
        assert children() == []

    asyncio.run(leave("break"))
    with pytest.raises(KeyError):
        asyncio.run(leave("exception"))
    assert children() == []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(leave("cancel"))
    assert children() == []


def test_many_at_a_time(media_files):
    async def all_of_them() -> list[np.ndarray]:
        names = ["clicks.mp3", "index_at_end.mp4", "late_audio.mkv", "no_audio.mp4"] * 3
        return await asyncio.gather(
            *(collect(media_files / name) for name in names), return_exceptions=True
        )

    results = asyncio.run(all_of_them())
    for index, shift_s in ((0, 0.0), (1, 0.0), (2, 0.7)):
        for result in results[index::4]:
            assert_clicks(result[0], shift_s)
    assert all(isinstance(result, AudioError) for result in results[3::4])


def fake_ffmpeg(folder: Path, script: str, monkeypatch) -> None:
    """Put a shell script in the place of ffmpeg."""
    path = folder / "bin" / "ffmpeg"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


def test_an_ffmpeg_that_hangs_is_given_up(media_files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "exec sleep 1000", monkeypatch)
    with pytest.raises(DecoderFailed, match=r"ffmpeg gave nothing for 0\.5 s"):
        decode(media_files / "clicks.mp3", stall_timeout_s=0.5)


def test_an_ffmpeg_that_crashes_is_reported(media_files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "kill -SEGV $$", monkeypatch)
    with pytest.raises(DecoderFailed, match=r"ffmpeg crashed or was killed \(signal 11\)"):
        decode(media_files / "clicks.mp3")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'libavdevice.so.61: cannot open shared object file' >&2; exit 127", "libavdevice"),
        ("exit 1", "exit status 1"),
        ("echo usage: something else; exit 0", "exit status 0"),
    ],
)
def test_a_program_that_is_no_ffmpeg_is_not_the_files_fault(
    media_files, tmp_path, monkeypatch, script, said
):
    fake_ffmpeg(tmp_path, script, monkeypatch)
    path = tmp_path / "bin" / "ffmpeg"
    with pytest.raises(DecoderFailed, match=f"{path} does not work as ffmpeg: .*{said}"):
        decode(media_files / "clicks.mp3")
    path.write_bytes(b"\x7fELF of another machine")
    with pytest.raises(DecoderFailed, match=r"does not work as ffmpeg: .*(?i:exec)"):
        decode(media_files / "clicks.mp3")


def test_a_flood_of_messages_is_bounded(media_files, tmp_path, monkeypatch):
    flood = "import sys; sys.stderr.write(30_000_000 * 'x' + 100_000 * '[error] bad\\n')"
    fake_ffmpeg(tmp_path, f'exec {sys.executable} -c "{flood}"', monkeypatch)
    with pytest.raises(AudioError, match=r"broken file \(bad\)") as caught:
        decode(media_files / "clicks.mp3")
    assert len(str(caught.value)) < 500


def test_cancelling_a_load_stops_ffmpeg(media_files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "exec sleep 1000", monkeypatch)

    async def cancel_it() -> None:
        task = asyncio.create_task(load_recording_async(media_files / "clicks.m4a"))
        while not children():
            await asyncio.sleep(0.05)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_it())
    assert children() == []


def test_ffmpeg_ends_with_a_parent_that_is_killed(tmp_path):
    path = endless_sox(tmp_path / "hours.sox", 9)
    script = (
        "import asyncio, sys, psutil\n"
        "from asr_client.audio.media import MediaDecoder\n"
        "async def main():\n"
        "    async with MediaDecoder(sys.argv[1]) as media:\n"
        "        async for block in media:\n"
        "            print(psutil.Process().children()[0].pid, flush=True)\n"
        "            await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.send_signal(signal.SIGKILL)
        child.wait(timeout=30)


def test_ffmpeg_on_the_path_goes_before_the_wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_ffmpeg() == imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(AudioError, match="needs ffmpeg; got none: install"):
        find_ffmpeg()
    fake_ffmpeg(tmp_path, "", monkeypatch)
    assert find_ffmpeg() == str(tmp_path / "bin" / "ffmpeg")


def test_the_log_is_read_in_pieces_of_any_size():
    text = (
        b"[warning] Estimating duration from bitrate, this may be inaccurate\n"
        b"[info]     title           : [info]   Duration: 99:00:00.00, start: 0\n"
        b"[info]   Duration: 01:02:03.50, start: 0.025057, bitrate: 64 kb/s\n"
        b"[Parsed_ashowinfo_3 @ 0x5581] [info] n:0 pts:11200 pts_time:0.7 fmt:flt\n"
        b"[mov @ 0x55] [error] moov atom not found\n[fatal] Error opening input: bad\n"
        b"[mov @ 0x56] [error] moov atom not found\n"
    )
    for size in (1, 7, len(text)):
        log = FfmpegLog()
        for first in range(0, len(text), size):
            log.feed(text[first : first + size])
        assert log.duration_s == 3723.5
        assert log.start_s == 0.7
        assert log.estimated
        assert log.problems == ["moov atom not found"]


def test_the_log_bounds_what_it_keeps():
    log = FfmpegLog()
    for number in range(1000):
        log.feed(b"[error] " + str(number).encode() + b"x" * 10_000 + b"\n")
    assert len(log.problems) < 20
    assert all(len(problem) <= MAX_LINE_BYTES for problem in log.problems)
