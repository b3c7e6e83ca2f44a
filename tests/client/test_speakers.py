"""Speakers in the file pipeline: clusters, turns, words; hours in bounded memory; formats."""

from __future__ import annotations

import io
import itertools
import json
from urllib.parse import unquote

import numpy as np
import pytest
import webvtt
from hypothesis import example, given
from hypothesis import strategies as st

from asr_client import Client, ModelNotFound, OptionError
from asr_client.cli import main
from asr_client.cli.formats import format_sentences, rttm_lines
from asr_client.diarisation import label_sentences
from asr_client.diarisation.clustering import find_speakers
from asr_client.diarisation.gathering import Gathering
from asr_client.diarisation.turns import make_turns
from asr_client.diarisation.windows import WINDOW_MS, windows_of
from asr_client.files import FileOptions, Segment
from asr_client.results import Sentence, SpeakerTurn, Word
from asr_client.transport import ThreadedGrpcTransport
from asr_server.places import SAMPLES

TALK = SAMPLES / "talk.ogg"


def voices(rng, speakers: int, windows: int, spread: float = 0.5):
    """Embeddings of speakers who take turns, each of length one, and whose each is."""
    centres = rng.standard_normal((speakers, 64))
    whose = np.repeat(rng.integers(speakers, size=windows // 10 + 1), 10)[:windows]
    whose[:speakers] = np.arange(speakers)
    found = centres[whose] + spread * rng.standard_normal((windows, 64))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), whose


def same_partition(first, second) -> bool:
    return len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second))


@pytest.mark.parametrize("speakers", [1, 2, 5])
def test_the_number_of_speakers_is_found_and_can_be_told(speakers):
    found, whose = voices(np.random.default_rng(speakers), speakers, 200)
    for asked in ("auto", speakers):
        labels = find_speakers(found, np.arange(len(found)), asked)
        assert same_partition(labels.tolist(), whose.tolist())
        assert labels[0] == 0


def test_stray_windows_are_no_speaker():
    rng = np.random.default_rng(3)
    found, whose = voices(rng, 2, 200)
    found[50] = rng.standard_normal(64)
    found[50] /= np.linalg.norm(found[50])
    for asked in ("auto", 2):
        labels = find_speakers(found, np.arange(200), asked)
        assert labels.max() == 1
        assert same_partition(np.delete(labels, 50).tolist(), np.delete(whose, 50).tolist())


def test_hours_are_kept_in_bounded_memory_and_told_apart_all_the_same():
    rng = np.random.default_rng(4)
    found, whose = voices(rng, 4, 12_000)
    gathering = Gathering(block_windows=300, max_groups=100)
    for start in range(0, len(found), 17):
        gathering.add(found[start : start + 17])
        assert len(gathering._waiting) < 317
        assert gathering._sums is None or len(gathering._sums) <= 100
    groups = gathering.groups()
    assert len(groups.members) == len(found)
    labels = find_speakers(groups.means, groups.members, "auto")
    assert same_partition(labels.tolist(), whose.tolist())


@pytest.mark.parametrize("length_ms", [400, 1400, 1500, 1501, 2000, 30_000])
def test_windows_cover_a_segment_once(length_ms):
    segment = Segment(1_000, 1_000 + length_ms, np.zeros(length_ms * 16, np.float32))
    windows = list(windows_of(segment))
    assert windows[0].start_ms == 1_200 and windows[-1].end_ms == 900 + length_ms
    for before, after in itertools.pairwise(windows):
        assert before.start_ms < before.end_ms == after.start_ms
    assert {len(w.waveform) for w in windows} == {min(length_ms, WINDOW_MS) * 16}
    assert list(windows_of(Segment(0, 399, np.zeros(399 * 16, np.float32)))) == []


def test_a_short_turn_inside_anothers_is_that_ones():
    turns = make_turns(
        [(0, 1000, "S1"), (1000, 1500, "S2"), (1500, 3000, "S1"), (4000, 5000, "S2")]
    )
    assert turns == [SpeakerTurn("S1", 0, 3000), SpeakerTurn("S2", 4000, 5000)]


def sentence(text: str, step_ms: int = 500) -> Sentence:
    words = [
        Word(t, k * step_ms, (k + 1) * step_ms, 0.9) for k, t in enumerate("今天天气很好我们走吧")
    ]
    return Sentence(text, 0, len(words) * step_ms, words, "zh")


def test_a_change_inside_a_sentence_splits_it():
    said = sentence("今天天气很好，我们走吧。")
    turns = [SpeakerTurn("S1", 0, 3000), SpeakerTurn("S2", 3000, 5000)]
    first, second = label_sentences([said], turns)
    assert (first.text, first.speaker, first.end_ms) == ("今天天气很好，", "S1", 3000)
    assert (second.text, second.speaker, second.start_ms) == ("我们走吧。", "S2", 3000)
    assert [word.speaker for word in first.words + second.words] == ["S1"] * 6 + ["S2"] * 4
    assert first.text + second.text == said.text
    (whole,) = label_sentences([said], [SpeakerTurn("S1", 0, 500), SpeakerTurn("S2", 500, 5000)])
    assert whole.speaker == "S2" and whole.text == said.text
    (untold,) = label_sentences([said], [])
    assert untold.speaker is None


def test_sentences_without_words_are_whose_most_of_them_is():
    bare = Sentence("今天天气很好。", 0, 4000)
    turns = [SpeakerTurn("S1", 0, 1000), SpeakerTurn("S2", 1000, 5000)]
    assert [each.speaker for each in label_sentences([bare], turns)] == ["S2"]


def test_every_format_says_who_speaks():
    said = label_sentences(
        [sentence("今天天气很好，我们走吧。")],
        [SpeakerTurn("S1", 0, 3000), SpeakerTurn("小 <李>", 3000, 5000)],
    )
    assert "".join(format_sentences("txt", said)) == "[S1] 今天天气很好，\n[小 <李>] 我们走吧。\n"
    assert "[S1] 今天" in "".join(format_sentences("srt", said))
    cues = webvtt.from_buffer(io.StringIO("".join(format_sentences("vtt", said))))
    assert [cue.voice for cue in cues] == ["S1", "小 &lt;李&gt;"]
    table = "".join(format_sentences("tsv", said)).splitlines()
    assert table[0].split("\t") == ["start", "end", "speaker", "text"]
    assert table[2].split("\t")[2] == "小 <李>"
    assert rttm_lines("talk", [SpeakerTurn("小 李", 1500, 3250)]) == [
        "SPEAKER talk 1 1.500 1.750 <NA> <NA> 小_李 <NA> <NA>"
    ]


@given(st.text(st.sampled_from(" _%<>A5F\t\u3000李"), min_size=1))
@example("A B")
@example("A_B")
@example("<NA>")
def test_a_name_in_rttm_is_one_field_that_says_which_name(name):
    (line,) = rttm_lines("talk", [SpeakerTurn(name, 0, 1000)])
    *_, field, missing, last = line.split()
    assert (len(line.split()), missing, last) == (10, "<NA>", "<NA>") and field != "<NA>"
    assert unquote(field.replace("_", " ")) == name


@pytest.mark.parametrize("speakers", [0, -1, 51, True, 2.0, "two"])
def test_impossible_numbers_are_refused(speakers):
    with pytest.raises(OptionError, match="speakers: expected 1 to 50, or 'auto'; got"):
        FileOptions(speakers=speakers)


def test_channels_apart_have_speakers_already():
    with pytest.raises(OptionError, match="a speaker in each"):
        FileOptions(speakers=2, channels="each")


def test_the_talks_two_speakers_are_found(triton_server):
    """By the embedded model, in the sample talk of two voices that no training heard."""
    with Client(triton_server.grpc_url) as client:
        transcript = client.transcribe_file(TALK, model="paraformer", speakers=2)
    spoken = json.loads(TALK.with_suffix(".json").read_text())
    right = 0
    for each in spoken:
        middle = (each["start_ms"] + each["end_ms"]) / 2
        turns = [t for t in transcript.summary.turns if t.start_ms <= middle <= t.end_ms]
        right += bool(turns) and turns[0].speaker == ("S1", "S2")[each["voice"].endswith("m4")]
    assert right >= 0.9 * len(spoken)
    assert {each.speaker for each in transcript.sentences} == {"S1", "S2"}
    assert all(word.speaker == each.speaker for each in transcript.sentences for word in each.words)


def test_the_command_line_writes_rttm(triton_server, capsys):
    arguments = ["transcribe", str(TALK), "--url", triton_server.grpc_url, "--format", "rttm"]
    assert main([*arguments, "--speakers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("SPEAKER talk 1 ") for line in lines) and len(lines) > 10
    assert main(arguments) == 2
    assert "--format rttm: expected --speakers" in capsys.readouterr().err


def test_a_server_without_the_model_says_how_to_install_it(triton_server, monkeypatch):
    """Before the file is read."""
    ready = ThreadedGrpcTransport.model_ready

    async def without_speaker(self, name, timeout_s):
        return name != "speaker" and await ready(self, name, timeout_s)

    monkeypatch.setattr(ThreadedGrpcTransport, "model_ready", without_speaker)
    with Client(triton_server.grpc_url) as client:
        with pytest.raises(ModelNotFound, match=r"needs the model 'speaker'.*--from cam\+\+"):
            client.transcribe_file(TALK, speakers="auto")
        assert client.transcribe_file(SAMPLES / "zh_1.wav").sentences
