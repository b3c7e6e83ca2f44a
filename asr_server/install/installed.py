"""Recognises with an installed model as Triton does, but in this process.

The same front ends and scoring (`asr_core`) around bare ONNX Runtime sessions on the graphs that
were put into the repository. One recording at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import DEFAULT_CHUNK_SIZE, SAMPLE_RATE
from asr_core.features import Waveform, load_frontend, make_streaming_fbank
from asr_core.paraformer import (
    EMBEDDER_FILE,
    ParaformerOutputs,
    ParaformerRecogniser,
    load_hotword_bias,
    load_pieces,
    load_scoring,
)
from asr_core.punctuation import (
    Punctuated,
    PunctuationRequest,
    PunctuationService,
    load_punctuation,
)
from asr_core.sensevoice import (
    TOKENIZER_NAME,
    SenseVoiceOutputs,
    SenseVoiceRecogniser,
    SenseVoiceScoring,
)
from asr_core.streaming import (
    DECODER_OUTPUTS,
    ENCODER_OUTPUTS,
    Step,
    StreamingFrontend,
    StreamingRecogniser,
    load_streaming_model,
)
from asr_core.text import join_words
from asr_core.vad import VAD_ENCODER_OUTPUTS, VadStream, load_vad, score_streams
from asr_server.graphs.feeds import Feed
from asr_server.graphs.session import Session

Recogniser = Callable[[Waveform], str]

# What `funasr_onnx` uses: graphs and scoring are compared here, to the letter. The other front end
# differs in the fourth decimal, which decides where two tokens tie.
_FBANK = "kaldi-native-fbank"
_SAMPLE_HOTWORDS = 10
PIECE_SAMPLES = 9600  # of a stream; 600 ms
SHORTEST_LAST_PIECE = 960  # samples: `funasr_onnx` drops a shorter one
_PAUSE = np.zeros(SAMPLE_RATE, np.float32)
_MAX_WORDS = 10_000  # of a text to punctuate
_MAX_HOTWORDS = 500
_THREADS = 2  # of each graph


@dataclass(frozen=True)
class Material:
    """What models are tried on.

    Attributes:
        recordings: speech at 16 kHz, for recognisers and the VAD.
        texts: for punctuation, in the order of a stream.
    """

    recordings: Sequence[Waveform]
    texts: Sequence[str]

    @property
    def joined(self) -> Waveform:
        """All recordings, a second of silence after each."""
        return np.concatenate([part for one in self.recordings for part in (one, _PAUSE)])


# After English, the enumeration comma is written as a comma.
_FULL_WIDTH = str.maketrans({",": "，", ".": "。", "?": "？", "、": "，"})

Answers = Callable[[Material], list[str]]


def one_by_one(recognise: Recogniser) -> Answers:
    """Return what answers each recording by itself."""
    return lambda material: [recognise(samples) for samples in material.recordings]


def write_segments(segments: Iterable[tuple[int, int]], samples: Waveform) -> str:
    """Write segments, start and end in ms, as text to be compared; last where the audio ends."""
    end_ms = len(samples) * 1000 // SAMPLE_RATE
    return " ".join(f"{start} {end}" for start, end in (*segments, (end_ms, end_ms)))


_Graph = Callable[..., list[NDArray[Any]]]


def _open(folder: Path, outputs: Sequence[str]) -> _Graph:
    """Open an installed graph, as a function of its inputs, by name, to these outputs."""
    graph = Session(folder / "1" / "model.onnx", _THREADS, optimise=True)
    return graph.function(outputs)


def _recorded(graph: _Graph, feeds: list[Feed]) -> _Graph:
    """Return the same function; it adds what it is asked to `feeds`."""

    def run(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
        feeds.append({name: np.array(value) for name, value in inputs.items()})
        return graph(**inputs)

    return run


def sample_hotwords(model_dir: Path) -> str:
    """Return words of two characters that the vocabulary in `model_dir` has, to compare with."""
    characters = [piece for piece in load_pieces(model_dir) if "一" <= piece <= "龥"]
    pairs = zip(characters[::2], characters[1::2], strict=False)
    return " ".join(first + second for first, second in list(pairs)[:_SAMPLE_HOTWORDS])


def load_paraformer(repository: Path) -> Answers:
    """Load an installed Paraformer; gives `TRANSCRIPTS`, with hotwords if the model takes any."""
    extractor = repository / "paraformer_feature_extractor" / "1"
    hotwords = sample_hotwords(extractor) if (extractor / EMBEDDER_FILE).is_file() else ""
    recogniser = ParaformerRecogniser(
        load_frontend(extractor, _FBANK),
        _open(repository / "paraformer_encoder", ParaformerOutputs._fields),
        load_scoring(repository / "paraformer_scoring" / "1"),
        load_hotword_bias(extractor, _MAX_HOTWORDS),
    )
    return one_by_one(lambda samples: join_words(recogniser([samples], hotwords)[0]))


def load_sensevoice(repository: Path, text_norm: str = "withitn") -> Answers:
    """Load an installed SenseVoice; gives `TRANSCRIPTS` with language `auto`."""
    recogniser = SenseVoiceRecogniser(
        load_frontend(repository / "sensevoice_feature_extractor" / "1", _FBANK),
        _open(repository / "sensevoice_encoder", SenseVoiceOutputs._fields),
        SenseVoiceScoring(repository / "sensevoice_scoring" / "1" / TOKENIZER_NAME),
    )
    return one_by_one(lambda samples: recogniser([samples], text_norm=text_norm)[0].transcript)


@dataclass(frozen=True)
class StreamFeeds:
    """What the graphs of a streaming Paraformer were asked, one window a run."""

    encoder: list[Feed]
    decoder: list[Feed]


def load_paraformer_online(repository: Path, feeds: StreamFeeds | None = None) -> Answers:
    """Load an installed streaming Paraformer; gives a whole stream's text.

    Args:
        repository: where it is installed.
        feeds: gets all inputs of both graphs.
    """
    feeds = feeds or StreamFeeds([], [])
    encode = _open(repository / "streaming_encoder", ENCODER_OUTPUTS)
    decode = _open(repository / "streaming_decoder", DECODER_OUTPUTS)
    recogniser = StreamingRecogniser(
        load_streaming_model(repository / "streaming_cif_search" / "1"),
        _recorded(encode, feeds.encoder),
        _recorded(decode, feeds.decoder),
        max_batch_size=1,
    )

    def recognise(samples: Waveform) -> str:
        frontend = StreamingFrontend(make_streaming_fbank(_FBANK), DEFAULT_CHUNK_SIZE)
        stream = recogniser.open(DEFAULT_CHUNK_SIZE)
        text = ""
        for start in range(0, len(samples), PIECE_SAMPLES):
            is_final = start + PIECE_SAMPLES >= len(samples)
            windows = frontend.accept(samples[start : start + PIECE_SAMPLES], is_final)
            (update,) = recogniser.advance([Step(stream, windows, is_final)])
            text += update.new_text
        return text

    return one_by_one(recognise)


def full_width(text: str) -> str:
    """Write text as `funasr_onnx` does but for spaces: full-width marks, no capitals."""
    return text.translate(_FULL_WIDTH).lower().replace(" ", "")


def load_vad_segments(repository: Path) -> Answers:
    """Load an installed VAD; gives the segments of all recordings in one stream."""
    encode = _open(repository / "vad_encoder", VAD_ENCODER_OUTPUTS)
    model = load_vad(repository / "vad" / "1", _FBANK)

    def answer(material: Material) -> list[str]:
        stream = VadStream(model, model.options)
        stream.push(material.joined, is_final=True)
        score_streams([stream], encode)
        return [write_segments(stream.take_segments(), material.joined)]

    return answer


def load_punctuation_marks(repository: Path) -> Answers:
    """Load an installed punctuation model; gives each text with marks."""
    punctuate = _load_punctuation(repository, "punctuation", streaming=False)
    return lambda material: [full_width(punctuate(text, ()).text) for text in material.texts]


def load_online_marks(repository: Path) -> Answers:
    """Load an installed streaming punctuation model; gives each new part of one stream."""
    punctuate = _load_punctuation(repository, "punctuation_online", streaming=True)

    def answer(material: Material) -> list[str]:
        context: tuple[str, ...] = ()
        parts = []
        for text in material.texts:
            marked = punctuate(text, context)
            parts.append(full_width(marked.text))
            context = marked.context
        return parts

    return answer


def _load_punctuation(
    repository: Path, name: str, streaming: bool
) -> Callable[[str, tuple[str, ...]], Punctuated]:
    """Load an installed punctuation model as a function of a text and of what it continues."""
    mark = _open(repository / f"{name}_encoder", ("punctuations",))
    model = load_punctuation(repository / name / "1")
    service = PunctuationService(model, streaming=streaming, max_words=_MAX_WORDS, max_batch_size=1)

    def tag(**inputs: NDArray[np.int32]) -> NDArray[np.int32]:
        return mark(**inputs)[0]

    def punctuate(text: str, context: tuple[str, ...]) -> Punctuated:
        words = np.array([[word.encode() for word in context]], np.object_)
        request = PunctuationRequest(np.array([[text.encode()]], np.object_), words)
        (answer,) = service.answer([request], tag)
        if isinstance(answer, Exception):
            raise answer
        return answer[0]

    return punctuate
