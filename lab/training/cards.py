"""Writes the figures of `evaluate` into the models' cards and into docs/models.md.

Those of the speaker model are `evaluate_speakers`'. Each text has a part between two comments that
is replaced; what stands around it is written by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

BEGIN = "<!-- figures: python -m lab.training.evaluate --cards -->"
END = "<!-- end of figures -->"
_LANGUAGES = ("zh", "en", "yue", "ja", "ko", "all")

Report = Mapping[str, Any]


def write_cards(report: Report, models: Path, overview: Path) -> list[Path]:
    """Replace the figures of the models in a report; returns the files that were written.

    Args:
        report: what `evaluate` writes as JSON: a model's name to its figures.
        models: the folder of the models, with a card each.
        overview: the page with a table of all, written where the report has all.

    Raises:
        ValueError: a text has no place for figures.
    """
    written = []
    for name, figures in report.items():
        path = models / name / "README.md"
        text = "\n".join([_CARDS[name](figures), *_decoding(figures["decoding"])])
        replace_figures(path, BEGIN, text)
        written.append(path)
    if set(report) == set(_CARDS):
        replace_figures(overview, BEGIN, _overview(report))
        written.append(overview)
    return written


def replace_figures(path: Path, begin: str, figures: str) -> None:
    """Put figures between the comment `begin` of a text and the next that ends them.

    Raises:
        ValueError: the text has no place for figures.
    """
    text = path.read_text(encoding="utf-8")
    before, begun, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not begun or not end:
        raise ValueError(f"{path}: expected {begin} and {END}")
    path.write_text(f"{before}{begun}\n{figures}\n{end}{after}", encoding="utf-8")


def percent(value: float) -> str:
    """Return a share in per cent, with one decimal."""
    return f"{100 * value:.1f} %"


def _mandarin(figures: Report) -> list[str]:
    """Return the table of a Mandarin recogniser."""
    joined = [
        f"{percent(figures[f'joined_{c}'])} ({percent(figures[f'joined_{c}_single'])})"
        for c in ("clean", "noisy")
    ]
    empty, clips = (figures[f"nonspeech_{name}"] for name in ("empty", "clips"))
    return [
        "| | clean | noisy |",
        "|---|---|---|",
        f"| character error rate | {percent(figures['cer_clean'])} | "
        f"{percent(figures['cer_noisy'])} |",
        f"| the same utterances joined to 20 s (alone) | {joined[0]} | {joined[1]} |",
        "",
        f"- Empty text on {empty:.0f} of {clips:.0f} clips without speech.",
    ]


def _paraformer(figures: Report) -> str:
    median, mean = (figures[f"word_start_error_ms_{kind}"] for kind in ("median", "mean"))
    return "\n".join(
        [
            *_mandarin(figures),
            f"- Word starts of rightly recognised noisy utterances: off by {median:.0f} ms in the "
            f"median, {mean:.0f} ms in the mean.",
        ]
    )


def _streaming(figures: Report) -> str:
    ratios = [figures[f"joined_{condition}_ratio"] for condition in ("clean", "noisy")]
    return "\n".join(
        [
            *_mandarin(figures),
            f"- Joined recordings have {ratios[0]:.2f} times the errors of single ones clean, "
            f"{ratios[1]:.2f} times noisy.",
        ]
    )


def _sensevoice(figures: Report) -> str:
    columns = (
        *("cer_told_clean", "cer_told_noisy", "cer_auto_clean", "cer_auto_noisy"),
        *("cer_withitn_noisy", "language_right_clean", "language_right_noisy"),
    )
    lines = [
        "| | told, clean | told, noisy | auto, clean | auto, noisy | withitn, noisy | "
        "language right, clean | noisy | joined / alone |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in _LANGUAGES:
        row = figures[name]
        rates = [row[key] for key in columns]
        cells = [*map(percent, rates), f"{row['joined_noisy_ratio']:.2f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    nonspeech, spoken = figures["nonspeech"], figures["all"]
    (engine,) = (row for name, row in figures.items() if name.startswith("en "))
    return "\n".join(
        [
            *lines,
            "",
            f"- Language right in {percent(spoken['language_right_long'])} of the "
            f"{spoken['utterances_long']:.0f} noisy recordings of two seconds and more.",
            f"- No text on {nonspeech['empty']:.0f} of {nonspeech['clips']:.0f} clips without "
            f"speech; {nonspeech['tagged_nospeech']:.0f} of them tagged `<|nospeech|>`.",
            "- English by a synthesiser that training never heard (festival's ked): "
            f"{percent(engine['cer_auto_clean'])} clean, {percent(engine['cer_auto_noisy'])} "
            f"noisy ({engine['utterances']:.0f} utterances).",
        ]
    )


_CARDS: dict[str, Callable[[Report], str]] = {
    "paraformer": _paraformer,
    "paraformer_online": _streaming,
    "sensevoice": _sensevoice,
}


def _decoding(figures: Report) -> list[str]:
    """Return what hotwords, a language model and a thousand clips without speech say."""
    lists = [
        f"{percent(figures[f'recall_told_{label}'])} with {words} "
        f"({100 * figures[f'recall_gained_{label}']:.0f} % of the missing; errors in sentences "
        f"without names {100 * figures[f'cer_others_told_{label}']:.2f} %)"
        for label, words in (
            ("30", "lists of 30 names, those said in forty recordings and others"),
            ("100", "lists of 100"),
            ("all", "all 230 names of the grammar"),
        )
    ]
    return [
        f"- Text on {figures['clips_with_text']:.0f} of {figures['clips']:.0f} other clips without "
        f"speech, of which {figures['clips_with_sure_text']:.0f} are not doubtful "
        "(`docs/confidence.md`); behind the embedded VAD, as files are heard, on "
        f"{figures['clips_with_text_behind_vad']:.0f}, of which "
        f"{figures['clips_with_sure_text_behind_vad']:.0f} are not.",
        f"- Hotwords, on the noisy Mandarin set: of {figures['names']:.0f} names "
        f"{percent(figures['recall_without'])} are found without (errors in sentences without "
        f"names {100 * figures['cer_others_without']:.2f} %), {', '.join(lists)}.",
        f"- A {figures['ngram_order']:g}-gram of the grammar, weight "
        f"{figures['ngram_weight']:g}: {_fewer(figures, 'cer_sentences')} on 1,000 noisy "
        f"sentences, {_fewer(figures, 'cer')} on the noisy Mandarin set, of which 60 % are digits, "
        "numbers and words in a row.",
    ]


def _fewer(figures: Report, what: str) -> str:
    """Return a character error rate without and with a language model."""
    without, with_one = figures[f"{what}_without_ngrams"], figures[f"{what}_with_ngrams"]
    fewer = 1 - with_one / max(without, 1e-9)
    return f"{100 * without:.2f} to {100 * with_one:.2f} % errors ({100 * fewer:.0f} % fewer)"


def _overview(report: Report) -> str:
    """Return the rows of the table of all."""
    offline, online, sensevoice = (report[name] for name in _CARDS)
    spoken, nonspeech = sensevoice["all"], sensevoice["nonspeech"]
    links = [f"../embedded_models/{name}/README.md" for name in _CARDS]
    return "\n".join(
        [
            f"| | [Paraformer]({links[0]}) (BiCif, Mandarin) | [streaming Paraformer]({links[1]}) "
            f"(600 ms chunks) | [SenseVoice]({links[2]}) (five languages) |",
            "|---|---|---|---|",
            "| weights, vocabulary | 2.1 M, 374 characters | 2.2 M, the same | 2.3 M, 863 pieces |",
            "| character error rate, unheard voices and texts, noise at 10-20 dB | "
            f"{percent(offline['cer_noisy'])} | {percent(online['cer_noisy'])} | "
            f"{percent(spoken['cer_told_noisy'])} with the language told, "
            f"{percent(spoken['cer_auto_noisy'])} with `auto` |",
            "| language tag right (`auto`), clean and in noise | | | "
            f"{percent(spoken['language_right_clean'])}, "
            f"{percent(spoken['language_right_noisy'])} |",
            "| empty text on clips without speech | "
            + " | ".join(
                f"{empty:.0f} of {clips:.0f}"
                for empty, clips in (
                    (offline["nonspeech_empty"], offline["nonspeech_clips"]),
                    (online["nonspeech_empty"], online["nonspeech_clips"]),
                    (nonspeech["empty"], nonspeech["clips"]),
                )
            )
            + " |",
            "| error rate of 20 s joins over single utterances, in noise | "
            f"{offline['joined_noisy_ratio']:.2f} | {online['joined_noisy_ratio']:.2f} | "
            f"{spoken['joined_noisy_ratio']:.2f} |",
        ]
    )
