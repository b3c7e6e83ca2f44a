"""What a decoder may take of the machine."""

from __future__ import annotations

import asyncio
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from asr_client import AudioError, DecoderFailed
from asr_client.audio.media import MediaDecoder, find_ffmpeg
from asr_client.audio.media.bounds import Bounds
from tests.client.media_files import children, decode, endless_sox, endless_wav
from tests.client.test_media_supervision import fake_ffmpeg

pytestmark = pytest.mark.usefixtures("no_process_left")

_DAY_S = 24 * 3600


def wav_of_rate(rate: int, data_bytes: int) -> bytes:
    """Return 16-bit mono silence whose header says a rate."""
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + data_bytes) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", data_bytes) + bytes(data_bytes)


def aiff_of_rate(data_bytes: int) -> bytes:
    """Return the same in AIFF, at 1 Hz: an 80-bit float."""
    one = struct.pack(">HQ", 16383, 1 << 63)
    common = struct.pack(">hIh", 1, data_bytes // 2, 16) + one
    sound = struct.pack(">II", 0, 0) + bytes(data_bytes)
    chunks = b"COMM" + struct.pack(">I", len(common)) + common
    chunks += b"SSND" + struct.pack(">I", len(sound)) + sound
    return b"FORM" + struct.pack(">I", 4 + len(chunks)) + b"AIFF" + chunks


def au_of_rate(rate: int, data_bytes: int) -> bytes:
    """Return the same in Sun's format."""
    return struct.pack(">4sIIIII", b".snd", 24, data_bytes, 3, rate, 1) + bytes(data_bytes)


BOMBS = [
    wav_of_rate(1, 4096),
    wav_of_rate(1, 65536),
    wav_of_rate(7, 3000),
    wav_of_rate(999, 1 << 20),
    aiff_of_rate(65536),
    au_of_rate(1, 65536),
    au_of_rate(50, 1 << 20),
]


@contextmanager
def at_once() -> Iterator[None]:
    """See that decoders work for less than a second, and are not waited for."""
    before_s, begun_s = worked_s(), time.monotonic()
    yield
    assert worked_s() - before_s < 1
    assert time.monotonic() - begun_s < 10  # on a machine that has more to do


def worked_s() -> float:
    """Processor time of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: f"{bomb[:4]!r}-{len(bomb)}")
def test_a_rate_that_makes_hours_of_a_few_bytes_is_refused_at_once(bomb):
    with (
        at_once(),
        pytest.raises(AudioError, match="expected a sample rate of 1000 Hz or more; got"),
    ):
        decode(bomb)


def test_such_a_file_takes_little_memory(tmp_path):
    paths = [tmp_path / f"bomb-{number}" for number in range(len(BOMBS))]
    for path, bomb in zip(paths, BOMBS, strict=True):
        path.write_bytes(bomb)
    script = (
        "import asyncio, resource, sys\n"
        "from asr_client import AudioError\n"
        "from asr_client.audio.media import MediaDecoder\n"
        "async def decode(path):\n"
        "    async with MediaDecoder(path) as media:\n"
        "        return [block async for block in media]\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        asyncio.run(decode(path))\n"
        "    except AudioError:\n"
        "        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *paths], capture_output=True, text=True, check=True
    )
    used_kb = [int(line) for line in done.stdout.split()]
    assert len(used_kb) == len(BOMBS)
    assert max(used_kb) < 200_000


def test_a_file_that_says_it_is_too_long_is_refused_at_once(tmp_path):
    path = endless_wav(tmp_path / "hours.wav", 25)
    with (
        at_once(),
        pytest.raises(AudioError, match=r"at most 86400 s; the file is longer \(it says"),
    ):
        decode(path)


def test_what_the_system_enforces(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(3_000_000))
    bounds = Bounds.of_file(path, _DAY_S)
    script = 'for limit in -c -d -f -n -s "-S -t" "-H -t" -v; do ulimit $limit; done'
    shown = subprocess.run(
        bounds.command(["/bin/sh", "-c", script]), capture_output=True, text=True, check=True
    )
    assert shown.stderr == ""
    core, data_kb, file, _, stack_kb, cpu_s, last_cpu_s, address_kb = map(int, shown.stdout.split())
    assert (core, file) == (0, 0)
    assert data_kb == bounds.memory_bytes // 1024 < 200_000
    assert stack_kb < 10_000
    assert address_kb < 3_000_000
    assert cpu_s == bounds.cpu_s == last_cpu_s - 5 == 150


def under_bounds(tmp_path, script: str) -> str:
    """What a Python program under the bounds of a small file prints."""
    path = tmp_path / "file"
    path.write_bytes(bytes(1000))
    command = Bounds.of_file(path, _DAY_S).command([sys.executable, "-c", script])
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no seccomp")
@pytest.mark.parametrize(
    "start",
    [
        "os.fork()",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "subprocess.run(['/bin/true'])",
        "subprocess.run(['/bin/true'], preexec_fn=print)",
        "multiprocessing.Process(target=print).start()",
        "socket.socket()",
        # clone3 and clone as programs in assembler would call them
        "check(libc.syscall(435, bytes(88), 88))",
        "check(libc.syscall({'x86_64': 56, 'aarch64': 220}[os.uname().machine], 17, 0, 0, 0, 0))",
    ],
)
def test_a_decoder_starts_no_process(tmp_path, start):
    script = (
        "import ctypes, multiprocessing, os, socket, subprocess\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def check(value):\n"
        "    if value < 0: raise OSError(ctypes.get_errno(), 'refused')\n"
        f"try: {start}\n"
        "except OSError as error: print(type(error).__name__, error.errno)\n"
        "else: print('started')\n"
    )
    assert under_bounds(tmp_path, script).strip() in ("PermissionError 1", "OSError 38")


def test_a_decoders_threads_are_bounded_by_its_memory(tmp_path):
    script = (
        "import threading\n"
        "stop, count = threading.Event(), 0\n"
        "try:\n"
        "    while count < 1000:\n"
        "        threading.Thread(target=stop.wait, daemon=True).start()\n"
        "        count += 1\n"
        "except RuntimeError: pass\n"
        "print(count)\n"
    )
    # some ten are ffmpeg's
    assert 12 < int(under_bounds(tmp_path, script)) < 50


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no seccomp")
def test_an_ffmpeg_that_starts_others_is_told_of(media_files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "/bin/sleep 1000; exit 1", monkeypatch)
    with pytest.raises(DecoderFailed, match=r"does not work as ffmpeg: .*fork"):
        decode(media_files / "clicks.mp3")


def test_what_a_decoder_started_ends_with_it(media_files, tmp_path, monkeypatch):
    monkeypatch.setattr("asr_client.audio.media.bounds._alone", list)  # as on other systems
    fake_ffmpeg(tmp_path, "sleep 1000 & exec sleep 1000", monkeypatch)
    with pytest.raises(DecoderFailed, match=r"gave nothing for 0\.5 s"):
        decode(media_files / "clicks.mp3", stall_timeout_s=0.5)  # `no_process_left` looks


def test_a_decoder_that_only_works_is_ended(media_files, tmp_path, monkeypatch):
    fake_ffmpeg(tmp_path, "while :; do :; done", monkeypatch)
    monkeypatch.setattr("asr_client.audio.media.bounds._CPU_S", 1)
    with pytest.raises(AudioError, match="decoded within 1 s of processor time"):
        decode(media_files / "clicks.mp3")


def test_a_decoder_that_takes_all_memory_is_ended(media_files, tmp_path, monkeypatch):
    hungry = f"exec {sys.executable} -c 'print(len(bytes(500_000_000)))'"
    fake_ffmpeg(tmp_path, hungry, monkeypatch)
    with pytest.raises((AudioError, DecoderFailed)):
        decode(media_files / "clicks.mp3")
    fake = tmp_path / "bin" / "ffmpeg"
    fake.write_text("#!/bin/sh\necho '[error] Error while filtering: Cannot allocate memory' >&2\n")
    with pytest.raises(AudioError, match="bounded amount of memory"):
        decode(media_files / "clicks.mp3")


def test_a_decoder_that_is_killed_is_not_the_files_fault(tmp_path):
    path = endless_sox(tmp_path / "hours.sox", 9)

    async def kill_it() -> None:
        async with MediaDecoder(path) as media:
            async for _ in media:
                for child in children():
                    with suppress(psutil.NoSuchProcess):  # killed a piece ago, and gone by now
                        child.kill()

    with pytest.raises(DecoderFailed, match="signal 9"):
        asyncio.run(kill_it())


def test_a_look_at_ffmpeg_that_was_killed_is_not_remembered(monkeypatch):
    monkeypatch.setenv("PATH", "")
    expected = find_ffmpeg()
    monkeypatch.setattr("imageio_ffmpeg._utils._get_ffmpeg_exe", lambda: "")
    assert find_ffmpeg() == expected


def test_a_full_disk_has_its_own_error(media_files):
    script = (
        "import resource, signal, sys\n"
        "from asr_client import StorageFull, load_audio\n"
        "sys.dont_write_bytecode = True\n"  # it would be half, too, and be read ever after
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "try:\n"
        "    load_audio(data)\n"
        "except StorageFull as error:\n"
        "    sys.exit(str(error))\n"
    )
    path = media_files / "clicks.m4a"
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "a temporary file of the audio: File too large"
