"""What a search costs behind the embedded models, in processor time of one thread.

For hotwords, for a language model of a million n-grams, and for both.

Behind these, since random weights give flat candidates, of which a search keeps more than of a
model's that was trained.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import Hotword
from asr_core.decoding import (
    Decoder,
    HotwordLists,
    PieceSpeller,
    RowSearch,
    SentencePieceSpeller,
    search_frames,
    search_positions,
)
from asr_core.features import load_frontend
from asr_core.language_models import NgramModel
from asr_core.paraformer import (
    ParaformerOutputs,
    load_pieces,
    load_scoring,
    paraformer_inputs,
    silent_ids,
)
from asr_core.sensevoice import (
    TOKENIZER_NAME,
    SenseVoiceOutputs,
    SenseVoiceScoring,
    sensevoice_inputs,
)
from asr_server.graphs.session import Session
from asr_server.install import install
from asr_server.models import KINDS, VERSION, copy_repository
from lab.benchmark.large_ngrams import make_large_ngrams
from lab.benchmark.workload import Recording, total_seconds

REQUEST_WORDS, SERVER_WORDS = 100, 10_000
Score = Callable[[RowSearch | None], None]


@dataclass(frozen=True)
class DecodingResult:
    """Processor time, the median of the rounds.

    Attributes:
        audio_s: of all recordings.
        best_ms: of scoring without a search, per second of audio.
        request_ms: with `REQUEST_WORDS` hotwords of the request.
        server_ms: with `SERVER_WORDS` of the server besides.
        ngrams_ms: with the request's hotwords and a large language model.
        all_ms: with all three.
        entries: n-grams of the model.
        mapped_mb: its files, one copy for all processes.
        own_kb: what a process has of them for itself.
        compile_ms: of a request's words, the first time they come.
        again_ms: when they come again.
    """

    audio_s: float
    best_ms: float
    request_ms: float
    server_ms: float
    ngrams_ms: float
    all_ms: float
    entries: int
    mapped_mb: float
    own_kb: int
    compile_ms: float
    again_ms: float


def measure_decoding(kind: str, recordings: Sequence[Recording], rounds: int) -> DecodingResult:
    """Score the candidates of one of the embedded recognisers.

    Args:
        kind: "paraformer" or "sensevoice".
        recordings: of speech.
        rounds: of each figure.
    """
    with tempfile.TemporaryDirectory() as work:
        repository = copy_repository(KINDS[kind], Path(work) / KINDS[kind].repository)
        install(KINDS[kind], KINDS[kind].embedded, repository)
        path = repository / KINDS[kind].encoder / VERSION / "model.onnx"
        graph = Session(path, threads=1, optimise=True)
        frontend = load_frontend(repository / f"{kind}_feature_extractor" / VERSION)
        features = [[frontend(recording)] for recording in recordings]
        folder = repository / f"{kind}_scoring" / VERSION
        score, make, characters = _PARTS[kind](folder, graph, features)
        ngrams = make_large_ngrams(kind, repository, Path(work) / "ngrams")
        rng = np.random.default_rng(0)
        words = ["".join(rng.choice(characters, 2 + n % 3)) for n in range(SERVER_WORDS)]
        request = "\n".join(f"{word} 20" for word in words[:REQUEST_WORDS])
        server = [Hotword(word, 20.0) for word in words[REQUEST_WORDS:]]
        full = make(server, None)
        compiled = _spent_ms(lambda: full.row_search(request))
        again = [_spent_ms(lambda: full.row_search(request)) for _ in range(rounds)]
        seconds = total_seconds(recordings)

        def per_second(search: RowSearch | None) -> float:
            score(search)
            spent = [_spent_ms(lambda: score(search)) for _ in range(rounds)]
            return statistics.median(spent) / seconds

        return DecodingResult(
            seconds,
            per_second(None),
            per_second(make([], None).row_search(request)),
            per_second(full.row_search(request)),
            per_second(make([], ngrams.model).row_search(request)),
            per_second(make(server, ngrams.model).row_search(request)),
            ngrams.entries,
            ngrams.mapped_mb(),
            ngrams.own_kb(),
            compiled,
            statistics.median(again),
        )


def _spent_ms(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return 1e3 * (time.process_time() - begun)


_Parts = tuple[Score, Callable[[Sequence[Hotword], NgramModel | None], Decoder], list[str]]


def _paraformer(folder: Path, graph: Any, features: Sequence[Any]) -> _Parts:
    scoring, pieces = load_scoring(folder), load_pieces(folder)
    run = graph.function(ParaformerOutputs._fields)
    nothing: NDArray[np.float32] = np.zeros((1, 1), np.float32)
    inputs = [paraformer_inputs(row, nothing) for row in features]
    outputs = [(ParaformerOutputs(*run(**one)), one["speech_lengths"]) for one in inputs]

    def score(search: RowSearch | None) -> None:
        for one, lengths in outputs:
            scoring.score_rows(one, lengths, search)

    def make(server: Sequence[Hotword], ngrams: NgramModel | None) -> Decoder:
        lists = HotwordLists(PieceSpeller(pieces), server)
        return Decoder(search_positions, silent_ids(pieces), lists, ngrams)

    return score, make, [piece for piece in pieces if "一" <= piece <= "龥"]


def _sensevoice(folder: Path, graph: Any, features: Sequence[Any]) -> _Parts:
    scoring = SenseVoiceScoring(folder / TOKENIZER_NAME)
    run = graph.function(SenseVoiceOutputs._fields)
    outputs = [SenseVoiceOutputs(*run(**sensevoice_inputs(row))) for row in features]

    def score(search: RowSearch | None) -> None:
        for one in outputs:
            scoring.score_rows(one, search)

    def make(server: Sequence[Hotword], ngrams: NgramModel | None) -> Decoder:
        lists = HotwordLists(SentencePieceSpeller(scoring.tokenizer), server)
        return Decoder(search_frames, scoring.tag_ids, lists, ngrams)

    return score, make, [piece for piece in scoring.pieces if "一" <= piece <= "龥"]


_PARTS: dict[str, Callable[[Path, Any, Sequence[Any]], _Parts]] = {
    "paraformer": _paraformer,
    "sensevoice": _sensevoice,
}


def decoding_markdown(results: dict[str, DecodingResult]) -> str:
    """Return a table of all."""
    first = next(iter(results.values()))
    lines = [
        f"{first.audio_s:.0f} s of audio; scoring in ms of processor time per second of audio, a "
        "request's words in ms.",
        "",
        f"| | best tokens | {REQUEST_WORDS} hotwords | and {SERVER_WORDS} of the server | "
        f"{REQUEST_WORDS} hotwords and n-grams | all three | words read first | words known |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {kind} | {one.best_ms:.3f} | {one.request_ms:.3f} | {one.server_ms:.3f} | "
        f"{one.ngrams_ms:.3f} | {one.all_ms:.3f} | {one.compile_ms:.2f} | {one.again_ms:.3f} |"
        for kind, one in results.items()
    ]
    lines += [""]
    lines += [
        f"- {kind}: {one.entries:,} n-grams of one to three tokens, {one.mapped_mb:.1f} MB mapped "
        f"by all processes, of which {one.own_kb} kB are a process's own."
        for kind, one in results.items()
    ]
    return "\n".join(lines)
