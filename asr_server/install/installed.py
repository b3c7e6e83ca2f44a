"""Recognises with an installed model as Triton does, but in this process.

The same front ends and scoring (`asr_core`) around bare ONNX Runtime sessions on the graphs that
were put into the repository. One recording at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from asr_contract import DEFAULT_CHUNK_SIZE, LANGUAGE_IDS, SAMPLE_RATE, TEXT_NORM_IDS
from asr_core.features.fbank import KaldiNativeFbank
from asr_core.features.frontend import Frontend, load_frontend
from asr_core.paraformer.hotword_bias import load_hotword_bias
from asr_core.paraformer.hotword_embedder import EMBEDDER_FILE
from asr_core.paraformer.scoring import ParaformerRow, load_pieces, load_scoring
from asr_core.punctuation.marking import load_punctuation
from asr_core.punctuation.requests import PunctuationRequest, Punctuator
from asr_core.sensevoice.scoring import TOKENIZER_NAME, SenseVoiceScoring
from asr_core.streaming.frontend import StreamingFrontend
from asr_core.streaming.recogniser import OnlineRecogniser, Step, load_online_model
from asr_core.text.timestamps import CIF_UPSAMPLING
from asr_core.text.words import join_words
from asr_core.vad.scoring import VadStream, load_vad, score_streams

Samples = NDArray[np.float32]  # 16 kHz
Recogniser = Callable[[Samples], str]

_SAMPLE_HOTWORDS = 10
_PIECE_SAMPLES = 9600  # of a stream
_PAUSE = np.zeros(SAMPLE_RATE, np.float32)
_MAX_WORDS = 10_000  # of a text to punctuate


@dataclass(frozen=True)
class Material:
    """What models are tried on.

    Attributes:
        recordings: speech at 16 kHz, for recognisers and the VAD.
        texts: for punctuation, in the order of a stream.
    """

    recordings: Sequence[Samples]
    texts: Sequence[str]

    @property
    def joined(self) -> Samples:
        """All recordings, a second of silence after each."""
        return np.concatenate([part for one in self.recordings for part in (one, _PAUSE)])


# After English, the enumeration comma is written as a comma.
_FULL_WIDTH = str.maketrans({",": "，", ".": "。", "?": "？", "、": "，"})

Answers = Callable[[Material], list[str]]


def answer_each(recognise: Recogniser) -> Answers:
    """Return what answers each recording by itself."""
    return lambda material: [recognise(samples) for samples in material.recordings]


def write_segments(segments: Iterable[tuple[int, int]]) -> str:
    """Write segments, start and end in ms, as text to be compared."""
    return " ".join(f"{start} {end}" for start, end in segments)


class Graph:
    """An installed ONNX file."""

    def __init__(self, folder: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run it; all outputs by name."""
        return dict(zip(self._outputs, self._session.run(None, dict(inputs)), strict=True))


def _extract(frontend: Frontend, samples: Samples) -> dict[str, NDArray[Any]]:
    features = frontend(samples)
    return {"speech": features[None], "speech_lengths": np.array([len(features)], np.int32)}


def sample_hotwords(model_dir: Path) -> str:
    """Return words of two characters that the vocabulary in `model_dir` has, to compare with."""
    characters = [piece for piece in load_pieces(model_dir) if "一" <= piece <= "龥"]
    pairs = zip(characters[::2], characters[1::2], strict=False)
    return " ".join(first + second for first, second in list(pairs)[:_SAMPLE_HOTWORDS])


def load_paraformer(repository: Path, threads: int = 2) -> Answers:
    """Load an installed Paraformer; gives `TRANSCRIPTS`, with hotwords if the model takes any."""
    extractor = repository / "paraformer_feature_extractor" / "1"
    frontend = load_frontend(extractor)
    hotwords = sample_hotwords(extractor) if (extractor / EMBEDDER_FILE).is_file() else ""
    bias_embed = load_hotword_bias(extractor, {"max_hotwords": "500"})(hotwords)[None]
    graph = Graph(repository / "paraformer_encoder" / "1", threads)
    scoring = load_scoring(repository / "paraformer_scoring" / "1")

    def recognise(samples: Samples) -> str:
        inputs = _extract(frontend, samples)
        outputs = graph({**inputs, "bias_embed": bias_embed})
        tokens = int(outputs["token_num"][0])
        steps = int(inputs["speech_lengths"][0]) * CIF_UPSAMPLING
        row = ParaformerRow(
            outputs["token_ids"][0, :tokens],
            outputs["token_scores"][0, :tokens],
            outputs["us_alphas"][0, :steps],
            outputs["us_cif_peak"][0, :steps],
        )
        return join_words(scoring(row))

    return answer_each(recognise)


def load_sensevoice(repository: Path, threads: int = 2) -> Answers:
    """Load an installed SenseVoice; gives `TRANSCRIPTS` with language `auto` and ITN."""
    frontend = load_frontend(repository / "sensevoice_feature_extractor" / "1")
    graph = Graph(repository / "sensevoice_encoder" / "1", threads)
    scoring = SenseVoiceScoring(repository / "sensevoice_scoring" / "1" / TOKENIZER_NAME)
    prompt = {
        "language": np.array([LANGUAGE_IDS["auto"]], np.int32),
        "textnorm": np.array([TEXT_NORM_IDS["withitn"]], np.int32),
    }

    def recognise(samples: Samples) -> str:
        outputs = graph({**_extract(frontend, samples), **prompt})
        frames = int(outputs["encoder_out_lens"][0])
        result = scoring(outputs["token_ids"][0, :frames], outputs["token_scores"][0, :frames])
        return result.transcript

    return answer_each(recognise)


def load_paraformer_online(repository: Path, threads: int = 2) -> Answers:
    """Load an installed streaming Paraformer; gives a whole stream's text."""
    encoder = Graph(repository / "streaming_encoder" / "1", threads)
    decoder = Graph(repository / "streaming_decoder" / "1", threads)

    def encode(
        fbank: NDArray[np.float32],
        first_position: NDArray[np.int32],
        positions: NDArray[np.int32],
        window_lengths: NDArray[np.int32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        outputs = encoder(
            {
                "fbank": fbank,
                "first_position": first_position,
                "positions": positions,
                "window_lengths": window_lengths,
            }
        )
        return outputs["hidden"], outputs["alphas"]

    def decode(
        hidden: NDArray[np.float32],
        hidden_lengths: NDArray[np.int32],
        acoustic_embeds: NDArray[np.float32],
        embeds_lengths: NDArray[np.int32],
        cache: NDArray[np.float32],
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        outputs = decoder(
            {
                "hidden": hidden,
                "hidden_lengths": hidden_lengths,
                "acoustic_embeds": acoustic_embeds,
                "embeds_lengths": embeds_lengths,
                "cache": cache,
            }
        )
        return outputs["token_ids"], outputs["token_scores"], outputs["next_cache"]

    model = load_online_model(repository / "streaming_cif_search" / "1")
    recogniser = OnlineRecogniser(model, encode, decode, max_batch_size=1)

    def recognise(samples: Samples) -> str:
        frontend = StreamingFrontend(KaldiNativeFbank(), DEFAULT_CHUNK_SIZE)
        stream = recogniser.open(DEFAULT_CHUNK_SIZE)
        text = ""
        for start in range(0, len(samples), _PIECE_SAMPLES):
            is_final = start + _PIECE_SAMPLES >= len(samples)
            windows = frontend.accept(samples[start : start + _PIECE_SAMPLES], is_final)
            (update,) = recogniser.advance([Step(stream, windows, is_final)])
            if isinstance(update, Exception):
                raise update
            text += update.new_text
        return text

    return answer_each(recognise)


def full_width(text: str) -> str:
    """Text as `funasr_onnx` writes it but for spaces: full-width marks, no capitals."""
    return text.translate(_FULL_WIDTH).lower().replace(" ", "")


def load_vad_segments(repository: Path, threads: int = 2) -> Answers:
    """Load an installed VAD; gives the segments of all recordings in one stream."""
    encoder = Graph(repository / "vad_encoder" / "1", threads)
    model = load_vad(repository / "vad" / "1")

    def encode(
        speech: NDArray[np.float32], speech_lengths: NDArray[np.int32], cache: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        inputs = {"speech": speech, "speech_lengths": speech_lengths, "cache": cache}
        outputs = encoder(inputs)
        return outputs["silence_probs"], outputs["next_cache"]

    def answer(material: Material) -> list[str]:
        stream = VadStream(model, model.options)
        stream.push(material.joined, is_final=True)
        score_streams([stream], encode)
        return [write_segments(stream.take_segments())]

    return answer


def load_punctuation_marks(repository: Path, threads: int = 2) -> Answers:
    """Load an installed punctuation model; gives each text with marks."""
    graph = Graph(repository / "punctuation_encoder" / "1", threads)

    def tag(
        word_ids: NDArray[np.int32],
        word_lengths: NDArray[np.int32],
        vad_indexes: NDArray[np.int32],  # of streams only
    ) -> NDArray[np.int32]:
        outputs = graph({"word_ids": word_ids, "word_lengths": word_lengths})
        return outputs["punctuations"]

    model = load_punctuation(repository / "punctuation" / "1")
    punctuator = Punctuator(model, online=False, max_words=_MAX_WORDS, max_batch_size=1)

    def punctuate(text: str) -> str:
        request = PunctuationRequest(np.array([[text.encode()]], np.object_))
        (answer,) = punctuator.answer([request], tag)
        if isinstance(answer, Exception):
            raise answer
        return full_width(answer[0].text)

    return lambda material: [punctuate(text) for text in material.texts]


def load_online_marks(repository: Path, threads: int = 2) -> Answers:
    """Load an installed streaming punctuation model; gives each new part of one stream."""
    graph = Graph(repository / "punctuation_online_encoder" / "1", threads)

    def tag(
        word_ids: NDArray[np.int32],
        word_lengths: NDArray[np.int32],
        vad_indexes: NDArray[np.int32],
    ) -> NDArray[np.int32]:
        inputs = {"word_ids": word_ids, "word_lengths": word_lengths, "vad_indexes": vad_indexes}
        return graph(inputs)["punctuations"]

    model = load_punctuation(repository / "punctuation_online" / "1")
    punctuator = Punctuator(model, online=True, max_words=_MAX_WORDS, max_batch_size=1)

    def answer(material: Material) -> list[str]:
        context: tuple[str, ...] = ()
        parts = []
        for text in material.texts:
            words = np.array([[word.encode() for word in context]], np.object_)
            request = PunctuationRequest(np.array([[text.encode()]], np.object_), words)
            (rows,) = punctuator.answer([request], tag)
            if isinstance(rows, Exception):
                raise rows
            parts.append(full_width(rows[0].text))
            context = rows[0].context
        return parts

    return answer
