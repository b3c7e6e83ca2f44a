"""The offline recognisers as wholes: a batch equals each recording alone, whatever the encoder."""

import numpy as np
import pytest
import soundfile

from asr_core.decoding import Decoder, HotwordLists, PieceSpeller, search_positions
from asr_core.features import Cmvn, Frontend
from asr_core.paraformer import ParaformerRecogniser
from asr_core.paraformer.scoring import ParaformerScoring
from asr_core.sensevoice.recogniser import SenseVoiceRecogniser
from asr_core.sensevoice.scoring import EMPTY_RESULT, TOKENIZER_NAME, SenseVoiceScoring
from asr_core.text.words import join_words
from asr_server.places import EMBEDDED_MODELS
from lab.training.recognisers import load_paraformer, load_sensevoice

DIM = 560
SAMPLES = EMBEDDED_MODELS / "samples"
TEXTS = dict(
    line.split("\t")[::2]
    for line in (SAMPLES / "transcripts.tsv").read_text(encoding="utf-8").splitlines()
)


@pytest.fixture(scope="module")
def frontend():
    return Frontend(Cmvn(np.zeros(DIM, np.float32), np.ones(DIM, np.float32)))


def noise(seconds, seed=0):
    return np.random.default_rng(seed).uniform(-0.1, 0.1, int(16_000 * seconds)).astype(np.float32)


WAVEFORMS = [noise(1.0), noise(0.3, 1), noise(0.01, 2), noise(2.2, 3)]  # the third has no frame


def wide(rows, width, dtype):
    """Lay out rows with rubbish behind each, as a batch of another's length would."""
    padded = np.full((len(rows), width), 9, dtype)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded


class SenseVoiceEncoder:
    """Ids that depend on a row's features and prompts alone, and a record of the calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, **inputs):
        self.calls.append({name: value.shape for name, value in inputs.items()})
        assert inputs["language"].dtype == inputs["textnorm"].dtype == np.int32
        lengths = inputs["speech_lengths"] + 4
        ids = [
            np.r_[language, norm, 30, 40, 50 + np.abs(features[: n - 4, 0]).astype(int) % 90]
            for features, n, language, norm in zip(
                inputs["speech"], lengths, inputs["language"], inputs["textnorm"], strict=True
            )
        ]
        width = inputs["speech"].shape[1] + 4
        ids, scores = wide(ids, width, np.int32), np.full((len(ids), width), -0.1, np.float32)
        return ids, scores, lengths, ids[..., None], scores[..., None]


def test_sensevoice_batch_equals_each_alone(frontend):
    scoring = SenseVoiceScoring(EMBEDDED_MODELS / "sensevoice" / TOKENIZER_NAME)
    encoder = SenseVoiceEncoder()
    recognise = SenseVoiceRecogniser(frontend, encoder, scoring)
    together = recognise(WAVEFORMS, "zh", "woitn")
    (call,) = encoder.calls
    assert call["speech"][::2] == (4, DIM)
    assert call["speech_lengths"] == call["language"] == call["textnorm"] == (4,)
    assert together == [recognise([waveform], "zh", "woitn")[0] for waveform in WAVEFORMS]
    assert together[2] == EMPTY_RESULT
    assert together[0].words and together[0] != recognise(WAVEFORMS)[0]


class ParaformerEncoder:
    """A token for every second frame, and as many more as there are hotwords."""

    def __init__(self):
        self.calls = 0

    def __call__(self, *, speech, speech_lengths, bias_embed):
        self.calls += 1
        counts = speech_lengths // 2 + bias_embed.shape[1] - 1
        ids = [np.arange(count) % 5 + 3 for count in counts]
        width = counts.max() + 3
        cif = [np.linspace(0, 1, 3 * n) for n in speech_lengths]
        steps = 3 * speech.shape[1]
        ids, scores = wide(ids, width, np.int32), np.full((len(ids), width), -0.1, np.float32)
        return (
            ids,
            scores,
            counts,
            wide(cif, steps, np.float32),
            wide(cif, steps, np.float32),
            ids[..., None],
            scores[..., None],
        )


def test_paraformer_batch_equals_each_alone(frontend):
    pieces = ["<blank>", "<s>", "</s>", "你", "好", "he@@", "llo", "世", *"一二三"]
    encoder = ParaformerEncoder()

    def embed(hotwords):
        return np.zeros((len(hotwords.split()) + 1, 4), np.float32)

    recognise = ParaformerRecogniser(frontend, encoder, ParaformerScoring(pieces, 0), embed)
    together = recognise(WAVEFORMS, "你好 世")
    assert encoder.calls == 1
    assert together == [recognise([waveform], "你好 世")[0] for waveform in WAVEFORMS]
    assert [len(words) for words in recognise(WAVEFORMS)] < [len(words) for words in together]


def test_a_search_in_a_batch_equals_each_alone(frontend):
    """Of two candidates in each place, the second makes the hotword."""
    pieces = ["<blank>", "<s>", "</s>", *"你好他世界人"]

    class Encoder(ParaformerEncoder):
        def __call__(self, **inputs):
            ids, scores, *others, _, _ = super().__call__(**inputs)
            second = np.where(ids == 3, 8, 6)
            both = np.stack([ids, second], -1).astype(np.int32)
            return ids, scores, *others, both, np.stack([scores, scores - 1], -1)

    lists = HotwordLists(PieceSpeller(pieces))
    decoder = Decoder(search_positions, {0, 1, 2}, lists)
    scoring = ParaformerScoring(pieces, 0)
    recognise = ParaformerRecogniser(frontend, Encoder(), scoring, decoder=decoder)
    together = recognise(WAVEFORMS, "人世世 20")
    assert together == [recognise([waveform], "人世世 20")[0] for waveform in WAVEFORMS]
    assert "人世世" in join_words(together[0])
    greedy = ParaformerRecogniser(frontend, Encoder(), scoring)(WAVEFORMS)
    assert recognise(WAVEFORMS) == recognise(WAVEFORMS, "界界") == greedy != together
    spans = [[(word.start_ms, word.end_ms) for word in words] for words in together]
    assert spans == [[(word.start_ms, word.end_ms) for word in words] for words in greedy]


def read(name):
    waveform, _ = soundfile.read(SAMPLES / name, dtype="float32")
    return waveform


def test_the_exported_graphs_recognise_the_samples():
    """The workshop's adapters: logits to best tokens, so that the product's classes can be used."""
    (words,) = load_paraformer(EMBEDDED_MODELS / "paraformer")([read("zh_3.wav")])
    assert join_words(words) == TEXTS["zh_3.wav"]
    (result,) = load_sensevoice(EMBEDDED_MODELS / "sensevoice")(
        [read("en_1.wav")], text_norm="woitn"
    )
    assert result.language == "en"
    assert result.text == TEXTS["en_1.wav"]
    for word in [*words, *result.words]:
        assert 0 < word.confidence <= 1
        assert 0 <= word.start_ms < word.end_ms
