"""Recordings as people really have them, made from one: headers that lie, channels, joins, cuts.

`odd_file` makes one from a seed; `CASES` are those that were met in public bug reports.
"""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soxr

from asr_contract import SAMPLE_RATE
from tests.odd_containers import aiff, au, caf, rf64, u32, wav, wav_form, wave64


@dataclass(frozen=True)
class OddFile:
    """A file, and what is in it.

    Attributes:
        path: where it is.
        story: how it was made, for messages.
        heard: what is to come out of it, [samples] float32 at 16 kHz.
        is_exact: nothing is lossy: the samples must be those of `heard`, not only the text.
        may_lose: a part of it is missing; then a warning or an error has to say so.
    """

    path: Path
    story: str
    heard: np.ndarray
    is_exact: bool
    may_lose: bool = False


def ffmpeg(*words: object) -> None:
    """Run the wheel's ffmpeg."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    subprocess.run([*command, *map(str, words)], check=True, timeout=60, capture_output=True)


def int16(samples: np.ndarray) -> np.ndarray:
    """[samples, …] in [-1, 1] as little-endian int16."""
    return np.clip(np.rint(samples * 2**15), -(2**15), 2**15 - 1).astype("<i2")


# --- one from a seed

_RATES = (8000, 11025, 16000, 16000, 22050, 32000, 44100, 48000)
_COUNTS = (1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 9, 12, 24, 32)
_SIZES = ("right", "right", "none", "first second", "all ones", "largest signed", "too large")
_CODECS = {
    **{"mp3": [], "m4a": [], "aac": [], "flac": [], "opus": [], "ogg": ["-c:a", "libvorbis"]},
    **{"mkv": ["-c:a", "flac"], "webm": ["-c:a", "libopus"], "wma": [], "ts": ["-c:a", "mp2"]},
    **{"wv": [], "tta": [], "mov": ["-c:a", "pcm_s16be"], "ac3": [], "mp2": [], "avi": []},
    **{"adpcm.wav": ["-c:a", "adpcm_ms"], "alac.caf": ["-c:a", "alac"], "g722": ["-ac", "1"]},
}
_JOINABLE = frozenset(_CODECS) - {"g722", "adpcm.wav"}


def odd_file(seed: int, speech: np.ndarray, folder: Path) -> OddFile:
    """Make a file from a recording.

    Args:
        seed: of everything about it.
        speech: [samples] float32 at 16 kHz.
        folder: to put it in.
    """
    rng = np.random.default_rng(seed)
    rate = int(rng.choice(_RATES))
    if rng.random() < 0.35:
        return _coded(seed, rng, rate, speech, folder)
    return _uncompressed(seed, rng, rate, speech, folder)


def _channels(rng: np.random.Generator, mono: np.ndarray) -> tuple[np.ndarray, str, bool]:
    """Spread a recording over channels: [samples, channels], how, and whether they cancel."""
    count = int(rng.choice(_COUNTS))
    frames = np.repeat(mono[:, None], count, axis=1)
    if count == 1:
        return frames, "1 channel", False
    how = str(rng.choice(["alike", "one", "inverted", "delayed", "noisy"]))
    chosen = int(rng.integers(count))
    if how == "one":
        frames = np.zeros_like(frames)
        frames[:, chosen] = mono
    if how == "inverted":
        frames[:, 1::2] *= -1
        if count % 2:
            frames[:, -1] = 0
    if how == "delayed":
        delay = int(rng.integers(2, 40))
        frames[delay:, chosen] = mono[:-delay]
        frames[:delay, chosen] = 0
    if how == "noisy":
        frames = frames + rng.normal(0, 3e-4, frames.shape).astype(np.float32)
    return frames, f"{count} channels, {how} {chosen + 1}", how in ("inverted", "delayed")


def _uncompressed(
    seed: int, rng: np.random.Generator, rate: int, speech: np.ndarray, folder: Path
) -> OddFile:
    """Make a file of samples whose header may lie."""
    mono = 0.9 * soxr.resample(speech, SAMPLE_RATE, rate)
    frames, story, cancels = _channels(rng, mono.astype(np.float32))
    kind = str(rng.choice(["wav", "wav", "wav", "rf64", "w64", "aiff", "au", "caf"]))
    pack, samples, depth, form = _packer(kind, rng, rate, frames)
    frame_bytes = len(pack(samples[:1]))
    pieces = [samples]
    joined = str(rng.choice(["whole", "whole", "per second", "twice"]))
    if joined == "per second":
        pieces = np.array_split(samples, max(len(samples) // rate, 1))
    if joined == "twice":
        pieces = [samples, samples]
    sizes = str(rng.choice(_SIZES))
    if sizes in ("all ones", "largest signed") and kind in ("w64", "rf64"):
        sizes = "none"  # theirs are of 64 bits
    data = b""
    for piece in pieces:
        packed = pack(piece)
        stated = {
            "right": None,
            "none": 0,
            "first second": min(rate * frame_bytes, len(packed)),
            "all ones": 0xFFFFFFFF,
            "largest signed": 0x7FFFFFFF,
            "too large": len(packed) + 40 * rate * frame_bytes,
        }[sizes]
        data += form(packed, stated)
    if kind == "wav" and joined == "whole" and rng.random() < 0.3:
        odd = b"INFOISFT" + bytes(int(rng.integers(1, 50)))
        data += b"LIST" + struct.pack("<I", len(odd)) + odd + bytes(len(odd) % 2)
    heard = np.concatenate([speech] * (2 if joined == "twice" else 1)) * np.float32(0.9)
    is_cut = bool(rng.random() < 0.25)
    says_so = sizes in ("right", "too large")
    if is_cut:
        kept = float(rng.uniform(0.3, 0.98))
        data = data[: int(len(data) * kept)]
        if not says_so:  # nothing shows that there was more: all that is there is to be heard
            heard = heard[: int(len(heard) * kept)]
    path = folder / f"{seed}.{kind}"
    path.write_bytes(data)
    # A size that is too large says that something is missing, though nothing is. What is joined at
    # other rates does not fall on whole samples at 16 kHz.
    lossy = cancels or is_cut or (joined == "twice" and rate % SAMPLE_RATE > 0)
    return OddFile(
        path,
        f"{kind} of {depth} at {rate} Hz, {story}, {joined}, size {sizes}, cut {is_cut}",
        heard,
        is_exact=not lossy and rate >= SAMPLE_RATE and depth not in ("u8", "mulaw"),
        may_lose=is_cut and says_so,
    )


def _packer(
    kind: str, rng: np.random.Generator, rate: int, frames: np.ndarray
) -> tuple[Callable[[np.ndarray], bytes], np.ndarray, str, Callable[[bytes, int | None], bytes]]:
    """Choose a sample format; how it is packed, the samples, its name, how it gets a header."""
    channels = frames.shape[1]
    whole = int16(frames)

    def big(part: np.ndarray) -> bytes:
        return part.astype(">i2").tobytes()

    if kind == "aiff":
        return big, whole, "s16be", lambda data, size: aiff(rate, channels, 16, data, size)
    if kind == "au":
        return big, whole, "s16be", lambda data, size: au(rate, channels, 3, data, size)
    if kind == "caf":
        little = whole.astype("<i2")
        pack = np.ndarray.tobytes
        return pack, little, "s16le", lambda data, size: caf(rate, channels, 16, data, size)
    make = {"wav": wav, "rf64": rf64, "w64": wave64}[kind]
    depth = str(rng.choice(["s16", "s16", "u8", "s24", "f32"]))
    tag, bits = (3, 32) if depth == "f32" else (1, int(depth[1:]))
    form = wav_form(tag, rate, channels, bits)

    def packed(part: np.ndarray) -> bytes:
        if depth == "f32":
            return part.astype("<f4").tobytes()
        if depth == "u8":
            return np.clip(np.rint(part * 128) + 128, 0, 255).astype(np.uint8).tobytes()
        if depth == "s24":
            scaled = np.rint(part * 2**23).astype("<i4")
            return scaled[..., None].view(np.uint8)[..., :3].tobytes()
        return int16(part).tobytes()

    return packed, frames, depth, lambda data, size: make(form, data, size)


def _coded(
    seed: int, rng: np.random.Generator, rate: int, speech: np.ndarray, folder: Path
) -> OddFile:
    """Make a file of a codec, perhaps joined or cut."""
    name = str(rng.choice(sorted(_CODECS)))
    if name in ("ts", "mp2", "ac3", "mp3", "wma") and rate < 32000:
        rate = 48000 if name == "ac3" else 44100
    if name in ("opus", "webm"):
        rate = 48000
    if name == "g722":
        rate = 16000
    source = folder / f"{seed}-source.wav"
    mono = soxr.resample(speech, SAMPLE_RATE, rate)
    count = int(rng.choice([1, 2]))
    samples = int16(np.repeat(mono[:, None], count, axis=1))
    source.write_bytes(wav(wav_form(1, rate, count, 16), samples.tobytes()))
    path = folder / f"{seed}.{name}"
    ffmpeg("-i", source, *_CODECS[name], path)
    source.unlink()
    data, times = path.read_bytes(), 1
    if name in _JOINABLE and rng.random() < 0.4:
        data, times = data * 2, 2
    # What has no frames, no length and no end, as G.722, cannot show that it was cut.
    is_cut = bool(rng.random() < 0.4) and name != "g722"
    if is_cut:
        data = data[: int(len(data) * rng.uniform(0.3, 0.98)) | 1]
    path.write_bytes(data)
    story = f"{name} at {rate} Hz, {count} channels, {times} times, cut {is_cut}"
    heard = np.concatenate([speech] * times)
    return OddFile(path, story, heard, is_exact=False, may_lose=is_cut)


# --- those of public bug reports


def cases(speech: np.ndarray, folder: Path) -> dict[str, OddFile]:
    """Make the files that people reported, and their kin, from a recording at 16 kHz."""
    rate, whole = SAMPLE_RATE, int16(speech)
    pcm, mono = whole.tobytes(), wav_form(1, rate, 1, 16)
    seconds = [whole[first : first + rate].tobytes() for first in range(0, len(whole), rate)]
    filler = b"FLLR" + u32(4044) + bytes(4044)
    made: dict[str, OddFile] = {}

    def put(name: str, data: bytes, times: int = 1, exact: bool = True, lost: bool = False) -> None:
        path = folder / name
        path.write_bytes(data)
        made[name] = OddFile(path, name, np.concatenate([speech] * times), exact, lost)

    def many(name: str, frames: np.ndarray, exact: bool = False) -> None:
        form = wav_form(1, rate, frames.shape[1], 16)
        put(name, wav(form, frames.astype("<i2").tobytes()), exact=exact)

    put("header_of_first_second.wav", wav(mono, pcm, 32000))
    put("header_of_nothing.wav", wav(mono, pcm, 0))
    put("header_of_nothing_filler.wav", wav(mono, pcm, 0, filler))
    put("a_wav_per_second.wav", b"".join(wav(mono, part) for part in seconds))
    put("an_endless_wav_per_second.wav", b"".join(wav(mono, part, 0xFFFFFFFF) for part in seconds))
    odd = [pcm[first : first + 3333] for first in range(0, len(pcm), 3333)]  # half a sample more
    put("a_wav_per_odd_piece.wav", b"".join(wav(mono, part) for part in odd))
    put("an_endless_wav_per_odd_piece.wav", b"".join(wav(mono, part, 0xFFFFFFFF) for part in odd))
    put("header_of_first_second.w64", wave64(mono, pcm, 32000))
    put("header_of_nothing.rf64", rf64(mono, pcm, 0))
    put("header_of_first_second.au", au(rate, 1, 3, whole.astype(">i2").tobytes(), 32000))
    put("header_of_nothing.aiff", aiff(rate, 1, 16, whole.astype(">i2").tobytes(), 0))
    put("header_of_first_second.caf", caf(rate, 1, 16, pcm, 32000))
    put("cut.wav", wav(mono, pcm)[: len(pcm) // 2], lost=True, exact=False)
    for count, chosen in ((3, 2), (4, 3), (6, 3), (8, 3), (8, 7)):
        frames = np.zeros((len(whole), count), np.int16)
        frames[:, chosen] = whole
        many(f"only_channel_{chosen + 1}_of_{count}.wav", frames, exact=True)
    for count in (9, 12, 32):
        many(f"{count}_channels.wav", np.repeat(whole[:, None], count, 1), exact=True)
    many("inverted_stereo.wav", np.stack([whole, -whole], 1))
    half = np.where(np.arange(len(whole)) < len(whole) // 2, 1, -1)
    many("half_inverted_stereo.wav", np.stack([whole, whole * half], 1))
    many("delayed_stereo.wav", np.stack([whole, np.r_[np.zeros(8, np.int16), whole[:-8]]], 1))
    source = folder / "source.wav"
    source.write_bytes(wav(mono, pcm))
    for name, words in (("opus.ogg", ["-c:a", "libopus"]), ("vorbis.ogg", ["-c:a", "libvorbis"])):
        ffmpeg("-i", source, *words, folder / name)
        put(f"joined_{name}", (folder / name).read_bytes() * 2, times=2, exact=False)
    ffmpeg("-i", source, "-ar", 44100, "-ac", 2, "-c:a", "libvorbis", folder / "other.ogg")
    links = [(folder / f"{name}.ogg").read_bytes() for name in ("opus", "vorbis", "other", "opus")]
    put("joined_codecs.ogg", b"".join(links), times=4, exact=False)
    joined = b""
    for khz in (44100, 16000):
        ffmpeg("-i", source, "-ar", khz, "-c:a", "libmp3lame", folder / f"{khz}.mp3")
        joined += (folder / f"{khz}.mp3").read_bytes()
    put("joined_rates.mp3", joined, times=2, exact=False)
    for name in ("joined.webm", "joined.m4a", "joined.flac", "joined.wma"):
        ffmpeg("-i", source, folder / name)  # recordings that were appended to one another
        put(name, (folder / name).read_bytes() * 2, times=2, exact=False)
    ffmpeg("-i", source, folder / "length_of_first_second.flac")
    flac = bytearray((folder / "length_of_first_second.flac").read_bytes())
    flac[21:26] = (flac[21] >> 4 << 36 | 16000).to_bytes(5, "big")
    put("length_of_first_second.flac", bytes(flac))
    ffmpeg("-i", source, "-c:a", "g722", folder / "spoken.g722")
    put("spoken.g722", (folder / "spoken.g722").read_bytes(), exact=False)
    return made
