"""The page's computations, run in the browser and compared with other implementations."""

from __future__ import annotations

import base64
import html.parser
import io
import json
import random

import numpy as np
import pytest
import soundfile
import soxr

from asr_client.results import Sentence, Word
from asr_client.text.alignment import text_units
from asr_client.text.subtitles import srt, vtt
from tests.gateway.browser import chromium, open_page
from tests.gateway.static_server import STATIC, static_server
from tests.recordings import cut

TEXTS = (
    "今天我们来介绍一下如何在服务器上部署语音识别模型，首先需要准备好环境，然后下载模型，最后启动服务就可以了。",
    "This is a rather long sentence, which does not fit into two lines of forty two characters, "
    "so it has to be split.",
    "The whole thing costs $1,250.50 in the year 2026 -- don't --> ask & <why>",
    "And then she said to all of us (quietly) that it was over",
    "他今天在会议上对我们大家说《红楼梦》是一本非常好的书，值得读，100km/h，3.5%。",
    "明日の大阪の天気は何ですか。ｶﾀｶﾅとがを合わせる。か\u3099ハ\u309aリ",
    "커피 팔 백 원 입니다, 커피 팔 백 원 입니다. 커피 팔 백 원 입니다",
    "𠮷野家 café cafe\u0301 naïve −5℃ 3:50~4:10 ½ Ⅷ ⑳ a_b x² 😀 ok",
    "supercalifragilisticexpialidocious" * 3,
    "  spaces \t and\u3000none ",
    "",
)


@pytest.fixture(scope="module")
def page(playwright):
    with static_server() as url, chromium(playwright) as browser:
        yield open_page(browser, url)


def run(page, module: str, body: str, argument=None):
    """Run the body of a function of `m`, the module, and `a`, the argument, in the page."""
    script = f"async (a) => {{ const m = await import('/static/js/{module}'); {body} }}"
    return page.evaluate(script, argument)


def resample(page, samples: np.ndarray, rate: int, sizes: list[int]) -> np.ndarray:
    """Resample to 16 kHz in the page, given in pieces of these sizes."""
    body = """
        const bytes = Uint8Array.from(atob(a.samples), (letter) => letter.charCodeAt(0));
        const samples = new Float32Array(bytes.buffer);
        const resampler = new m.Resampler(a.rate, 16000);
        const output = [];
        let start = 0;
        for (const size of a.sizes) {
          output.push(...resampler.push(samples.subarray(start, start + size)));
          start += size;
        }
        return [...output, ...resampler.flush()];
    """
    encoded = base64.b64encode(samples.astype(np.float32).tobytes()).decode()
    argument = {"samples": encoded, "rate": rate, "sizes": sizes}
    return np.array(run(page, "resampler.js", body, argument), np.float32)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_speech_is_resampled_as_soxr_does(page, rate):
    speech = soxr.resample(cut(1.0, 3.0, gain=0.5), 16_000, rate)
    expected = soxr.resample(speech, rate, 16_000)
    got = resample(page, speech, rate, [len(speech)])
    assert abs(len(got) - len(expected)) <= 1
    count = min(len(got), len(expected))
    # Both filters' slopes differ, so only what lies below them is compared.
    spectra = [np.fft.rfft(signal[:count]) for signal in (got, expected)]
    band = slice(0, int(0.8 * count / 2 * min(1.0, rate / 16_000)))
    error = np.linalg.norm(spectra[0][band] - spectra[1][band])
    assert 20 * np.log10(error / np.linalg.norm(spectra[1][band])) < -60


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_16_khz_cannot_hold_is_removed(page, rate):
    tone = np.sin(2 * np.pi * 10_000 * np.arange(rate // 2) / rate)
    got = resample(page, tone, rate, [len(tone)])[200:-200]
    assert 20 * np.log10(np.abs(got).max()) < -70


@pytest.mark.parametrize("rate", [44_100, 8_000])
def test_any_pieces_give_the_same_samples(page, rate):
    speech = soxr.resample(cut(0.3, 5.0), 16_000, rate)
    pieces = random.Random(1)
    sizes = [0]
    while sum(sizes) < len(speech):
        sizes.append(min(pieces.choice([1, 7, 128, 1000]), len(speech) - sum(sizes)))
    whole = resample(page, speech, rate, [len(speech)])
    assert np.array_equal(resample(page, speech, rate, sizes), whole)


def test_resampling_nothing_gives_nothing(page):
    assert len(resample(page, np.zeros(0), 48_000, [])) == 0


def test_the_wav_file_holds_the_samples(page):
    body = """
        const frames = [m.toInt16([0, 0.5, -0.5]), m.toInt16([1, -1, 2, -2, 1 / 65536])];
        const bytes = new Uint8Array(await m.toWav(frames).arrayBuffer());
        return btoa(String.fromCharCode(...bytes));
    """
    samples, rate = soundfile.read(
        io.BytesIO(base64.b64decode(run(page, "pcm.js", body))), dtype="int16"
    )
    assert rate == 16_000
    assert samples.tolist() == [0, 16384, -16384, 32767, -32768, 32767, -32768, 1]


def test_the_level_is_in_decibels(page):
    body = (
        "return [[0, 0], [32767, -32767], [3277, -3277]].map((s) => m.levelDb(Int16Array.from(s)))"
    )
    assert run(page, "pcm.js", body) == pytest.approx([-100, 0, -20], abs=0.01)


def test_units_are_those_of_the_sdk(page):
    got = run(page, "text_units.js", "return a.map(m.textUnits)", TEXTS)
    for text, units in zip(TEXTS, got, strict=True):
        expected = [(unit.text, unit.start, unit.end) for unit in text_units(text)]
        assert [(unit["text"], unit["start"], unit["end"]) for unit in units] == expected, text


def recordings() -> list[list[Sentence]]:
    """Sentences with and without word times, joined and cut at random."""
    rng = random.Random(0)
    everything = " ".join(TEXTS)
    made = []
    for _ in range(60):
        sentences, now_ms = [], 0
        for _ in range(rng.randrange(5)):
            start = rng.randrange(len(everything))
            text = everything[start : start + rng.randrange(150)]
            text = rng.choice([rng.choice(TEXTS), text.lstrip("\u0301")])
            begin_ms = max(now_ms + rng.randrange(-50, 4_000), 0)
            units, step_ms = text_units(text), rng.randrange(300)
            now_ms = begin_ms + step_ms * len(units)
            words = [
                Word(unit.text, begin_ms + k * step_ms, begin_ms + (k + 1) * step_ms)
                for k, unit in enumerate(units)
            ]
            whose = rng.choice([None, "S1", "Li <Wei> & Co"])
            own = rng.choice([words, []])
            sentences.append(Sentence(text, begin_ms, now_ms, own, speaker=whose))
        made.append(sentences)
    return made


def in_javascript(sentences: list[Sentence]) -> list[dict]:
    return [
        {
            "text": sentence.text,
            "startMs": sentence.start_ms,
            "endMs": sentence.end_ms,
            "words": [{"startMs": w.start_ms, "endMs": w.end_ms} for w in sentence.words],
            "speaker": sentence.speaker,
        }
        for sentence in sentences
    ]


@pytest.mark.parametrize(("function", "write"), [("toSrt", srt), ("toVtt", vtt)])
def test_subtitles_are_those_of_the_sdk(page, function, write):
    cases = recordings()
    got = run(page, "subtitles.js", f"return a.map(m.{function})", [*map(in_javascript, cases)])
    for sentences, text in zip(cases, got, strict=True):
        assert text == "".join(write(sentences)), sentences


def test_an_event_stream_may_be_cut_anywhere(page):
    events = [{"delta": "你好"}, {"delta": "a\nb"}, {"type": "done"}]
    stream = ": comment\n\n" + "".join(f"event: x\ndata: {json.dumps(e)}\n\n" for e in events)
    body = """
        return [1, 2, 3, 7, 1000].map((size) => {
          const parser = new m.EventStreamParser();
          const found = [];
          for (let at = 0; at < a.length; at += size) {
            found.push(...parser.push(a.slice(at, at + size)));
          }
          return found.map((data) => JSON.parse(data));
        });
    """
    for text in (stream, stream.replace("\n", "\r\n")):
        assert run(page, "server_sent_events.js", body, text) == [events] * 5


class _Keys(html.parser.HTMLParser):
    """Texts of a page by their keys."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.key: str | None = None

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.key = attributes.get("data-i18n")
        if "data-i18n-label" in attributes:
            self.texts[attributes["data-i18n-label"]] = attributes.get("aria-label", "")

    def handle_data(self, data):
        if self.key:
            self.texts[self.key] = " ".join(data.split())
            self.key = None


def test_both_languages_say_everything(page):
    messages = run(page, "messages.js", "return m.MESSAGES")
    assert messages["en"].keys() == messages["zh"].keys()
    for key, english in messages["en"].items():
        assert sorted(names(english)) == sorted(names(messages["zh"][key])), key
    keys = _Keys()
    keys.feed((STATIC / "index.html").read_text(encoding="utf-8"))
    for key, text in keys.texts.items():
        assert text in (messages["en"][key], ""), key  # without scripts the page is English
    sources = "".join(path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js"))
    used = keys.texts.keys() | {key for key in messages["en"] if f'"{key}"' in sources}
    assert used == messages["en"].keys()


def names(message: str) -> list[str]:
    """The {names} in a message."""
    return [part.split("}")[0] for part in message.split("{")[1:]]
