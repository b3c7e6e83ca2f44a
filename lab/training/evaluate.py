"""Measures the embedded models on held-out synthetic speech, without torch.

    python -m lab.training.evaluate --cards
    python -m lab.training.evaluate --models embedded_models --json .cache/heldout.json

Texts and voices occur in no training shard; "noisy" adds an equaliser, a room and noise at
10-20 dB SNR. Needs espeak-ng, and festival with festvox-kdlpc16k for the engine that training
never heard; the sets are made once, from a seed, in the cache directory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from asr_contract import SAMPLE_RATE, character_error_rate
from asr_core.features import Waveform
from asr_core.paraformer import ParaformerRecogniser
from asr_core.text import join_words

from . import evaluate_hotwords, evaluate_language_models, evaluate_nonspeech
from .cards import write_cards
from .corpus import LANGUAGES
from .exported_graphs import ExportedVad
from .heldout_sets import TestUtterance, joined_recordings, load_set, nonspeech_set
from .recognisers import FunasrStreaming, load_paraformer, load_sensevoice
from .voices import HELD_OUT_ENGLISH_ENGINE

MODELS = ("paraformer", "paraformer_online", "sensevoice")
CONDITIONS = ("clean", "noisy")
PER_LANGUAGE = 130
CLIPS = 1000
LONG_SAMPLES = 2 * SAMPLE_RATE
Figures = dict[str, float]


class Transcriber:
    """A recogniser that hears each utterance once, however many figures need its text."""

    def __init__(self, transcribe: Callable[[Waveform], str]) -> None:
        self.transcribe = transcribe
        self._texts: dict[tuple[Path, int, str], str] = {}

    def text(self, utterance: TestUtterance, condition: str) -> str:
        """Text of an utterance."""
        key = utterance.directory, utterance.index, condition
        if key not in self._texts:
            self._texts[key] = self.transcribe(utterance.waveform(condition))
        return self._texts[key]


def error_rate(
    utterances: list[TestUtterance],
    condition: str,
    transcriber: Transcriber,
    form: str = "spoken",
) -> float:
    """CER of single utterances against their `form` text."""
    heard = [transcriber.text(utterance, condition) for utterance in utterances]
    return character_error_rate([str(u.record[form]) for u in utterances], heard)


def joined_figures(
    utterances: list[TestUtterance], condition: str, transcriber: Transcriber
) -> Figures:
    """CER of 20 s joins, of the same utterances alone, and their ratio."""
    references, heard, members = [], [], []
    for waveform, parts in joined_recordings(utterances, condition):
        references.append(" ".join(str(part.record["spoken"]) for part in parts))
        heard.append(transcriber.transcribe(waveform))
        members += parts
    joined = character_error_rate(references, heard)
    single = error_rate(members, condition, transcriber)
    return {
        f"joined_{condition}": joined,
        f"joined_{condition}_single": single,
        f"joined_{condition}_ratio": joined / max(single, 1e-9),
    }


def word_start_errors_ms(
    recogniser: ParaformerRecogniser, utterances: list[TestUtterance], condition: str
) -> list[float]:
    """Distances between predicted and true word starts, of rightly recognised utterances."""
    errors: list[float] = []
    for utterance in utterances:
        (words,) = recogniser([utterance.waveform(condition)])
        if "".join(word.text for word in words) != utterance.record["spoken"]:
            continue
        position = 0
        for text, start_ms in utterance.record["words"]:
            errors.append(abs(words[position].start_ms - start_ms))
            position += len(text)
    return errors


def mandarin_figures(test: list[TestUtterance], transcribe: Callable[[Waveform], str]) -> Figures:
    """What is measured of every Mandarin recogniser."""
    transcriber = Transcriber(transcribe)
    figures: Figures = {"utterances": len(test)}
    for condition in CONDITIONS:
        figures[f"cer_{condition}"] = error_rate(test, condition, transcriber)
        figures |= joined_figures(test, condition, transcriber)
    clips = list(nonspeech_set())
    figures["nonspeech_empty"] = sum(transcribe(clip) == "" for clip in clips)
    figures["nonspeech_clips"] = len(clips)
    return figures


def evaluate_paraformer(model_dir: Path, cache: Path) -> Figures:
    """All figures of the offline Paraformer."""
    recogniser = load_paraformer(model_dir)
    test = load_set(cache, "zh")
    figures = mandarin_figures(test, lambda waveform: join_words(recogniser([waveform])[0]))
    errors = word_start_errors_ms(recogniser, test, "noisy")
    figures["word_start_error_ms_median"] = statistics.median(errors) if errors else -1.0
    figures["word_start_error_ms_mean"] = statistics.fmean(errors) if errors else -1.0
    return figures


def evaluate_streaming(model_dir: Path, cache: Path) -> Figures:
    """All figures of the streaming Paraformer, in chunks of 600 ms."""
    return mandarin_figures(load_set(cache, "zh"), FunasrStreaming(model_dir).text)


def evaluate_sensevoice(model_dir: Path, cache: Path) -> dict[str, Figures]:
    """All figures of SenseVoice: one row a language, and one over all."""
    recogniser = load_sensevoice(model_dir)
    rows: dict[str, Figures] = {}
    long: list[bool] = []  # whether the language of each long recording is right

    def transcriber(language: str, text_norm: str = "woitn") -> Transcriber:
        return Transcriber(lambda waveform: recogniser([waveform], language, text_norm)[0].text)

    auto = transcriber("auto")
    for language in LANGUAGES:
        test = load_set(cache, language)[:PER_LANGUAGE]
        told = transcriber(language)
        row: Figures = {"utterances": len(test)}
        for condition in CONDITIONS:
            row[f"cer_auto_{condition}"] = error_rate(test, condition, auto)
            row[f"cer_told_{condition}"] = error_rate(test, condition, told)
        row["cer_withitn_noisy"] = error_rate(
            test, "noisy", transcriber("auto", "withitn"), "written"
        )
        for condition in CONDITIONS:
            heard = [utterance.waveform(condition) for utterance in test]
            right = [recogniser([one], text_norm="woitn")[0].language == language for one in heard]
            row[f"language_right_{condition}"] = statistics.fmean(right)
            if condition == "noisy":
                pairs = zip(right, heard, strict=True)
                long += [known for known, one in pairs if len(one) >= LONG_SAMPLES]
        row |= joined_figures(test, "noisy", auto)
        rows[language] = row
    keys = [key for key in rows["zh"] if key != "utterances"]
    rows["all"] = {key: statistics.fmean(rows[name][key] for name in LANGUAGES) for key in keys}
    rows["all"]["utterances"] = sum(rows[name]["utterances"] for name in LANGUAGES)
    rows["all"]["language_right_long"] = statistics.fmean(long)
    rows["all"]["utterances_long"] = len(long)
    joined = rows["all"]
    joined["joined_noisy_ratio"] = joined["joined_noisy"] / joined["joined_noisy_single"]
    clips = list(nonspeech_set())
    results = [recogniser([clip], text_norm="woitn")[0] for clip in clips]
    rows["nonspeech"] = {
        "clips": len(clips),
        "empty": sum(result.text == "" for result in results),
        "tagged_nospeech": sum(result.language == "nospeech" for result in results),
    }
    engine = load_set(cache, "en", HELD_OUT_ENGLISH_ENGINE)
    rows[f"en {HELD_OUT_ENGLISH_ENGINE}"] = {
        "utterances": len(engine),
        **{f"cer_auto_{c}": error_rate(engine, c, auto) for c in CONDITIONS},
    }
    return rows


def decoding_figures(name: str, models: Path, cache: Path) -> Figures:
    """What hotwords and a language model do, and the 1,000 clips of `evaluate_nonspeech`."""
    without, lists = evaluate_hotwords.compare(
        evaluate_hotwords.reported_recordings(cache),
        evaluate_hotwords.recognisers(models)[name](),
    )
    ngrams = evaluate_language_models.measure(
        name, models, evaluate_language_models.load_material(cache)
    )
    hearing = evaluate_nonspeech.hearings(models)[name]
    heard, let_through = (
        evaluate_nonspeech.measure(hearing.model, words, CLIPS, ())
        for words in (
            hearing.words,
            evaluate_nonspeech.behind_vad(hearing.words, ExportedVad(models / "vad")),
        )
    )
    return {
        "names": without.names,
        "recall_without": without.recall,
        "cer_others_without": without.others.rate,
        **{f"recall_told_{label}": told.recall for label, told in lists.items()},
        **{
            f"recall_gained_{label}": evaluate_hotwords.gained(without, told)
            for label, told in lists.items()
        },
        **{f"cer_others_told_{label}": told.others.rate for label, told in lists.items()},
        "ngram_order": evaluate_language_models.ORDER,
        "ngram_weight": ngrams.counts.weight,
        "cer_without_ngrams": ngrams.reported[0],
        "cer_with_ngrams": ngrams.reported[1],
        "cer_sentences_without_ngrams": ngrams.sentences[0],
        "cer_sentences_with_ngrams": ngrams.sentences[1],
        "clips": heard.clips,
        "clips_with_text": heard.with_text,
        "clips_with_sure_text": heard.sure_text,
        "clips_with_text_behind_vad": let_through.with_text,
        "clips_with_sure_text_behind_vad": let_through.sure_text,
    }


def measure(name: str, models: Path, cache: Path, with_decoding: bool) -> dict[str, Any]:
    """Measure one model and print it; `with_decoding` adds what the cards have besides."""
    figures: dict[str, Any]
    if name == "sensevoice":
        rows = evaluate_sensevoice(models / name, cache)
        figures = {**rows}
        print_table({f"{name} {key}": row for key, row in rows.items()})
    else:
        evaluate = evaluate_paraformer if name == "paraformer" else evaluate_streaming
        row = evaluate(models / name, cache)
        figures = {**row}
        print_table({name: row})
    if with_decoding:
        figures["decoding"] = decoding_figures(name, models, cache)
        print_table({f"{name} decoding": figures["decoding"]})
    return figures


def print_table(rows: dict[str, Figures]) -> None:
    """One line a figure; rates in per cent."""
    for name, row in rows.items():
        for figure, value in row.items():
            is_rate = (
                figure.startswith(("cer", "joined", "language", "recall")) and "ratio" not in figure
            )
            shown = f"{100 * value:7.2f} %" if is_rate else f"{value:7.2f}"
            print(f"{name:22s} {figure:28s} {shown}", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/heldout"))
    parser.add_argument("--only", choices=MODELS)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--cards", action="store_true", help="write the figures into the cards and docs/models.md"
    )
    parser.add_argument("--processes", type=int, default=1, help="models measured at a time")
    arguments = parser.parse_args()
    report: dict[str, Any] = {}
    with ProcessPoolExecutor(arguments.processes, multiprocessing.get_context("spawn")) as pool:
        tasks = {
            name: pool.submit(measure, name, arguments.models, arguments.cache, arguments.cards)
            for name in ([arguments.only] if arguments.only else MODELS)
        }
        for name, task in tasks.items():
            report[name] = task.result()
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")
    if arguments.cards:
        for path in write_cards(report, arguments.models, Path("docs/models.md")):
            print(f"figures written to {path}")


if __name__ == "__main__":
    main()
