"""Writes alignments.json: what FunASR's own MonotonicAligner says, in PyTorch, and its tokenizer.

    python tests/golden/make_alignments.py      (needs the `export` extra)

The weights are those of `monotonic_aligner-tiny-seed0`, made anew from their seed; FunASR reads
recordings and texts from files, as its users give them.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from funasr import AutoModel
from funasr.tokenizer.char_tokenizer import CharTokenizer

from asr_contract import SAMPLE_RATE
from lab.random_models.export import export_random_model
from tests.recordings import cut

CASES = (  # in characters that the tiny vocabulary has, since FunASR leaves out the others' times
    (0.4, "的"),
    (1.3, "是在"),
    (2.2, "一是在不了有"),
    (6.0, "的一是在不了有的一是在"),
    (13.3, "一是在不了有" * 7),
)


# Words with a space between them, as FunASR wants them where a model has a table of English pieces.
TEXTS = ("今 天 hello world", "Hello 的 xyz 2024 ok", "ab1 é 是 héllo カ", "the the don't 一")
SEGMENTATION = "hello hel@@ lo\nworld wor@@ ld\nthe the\nok o@@ k\n一 一\n1 one 1\nx x\n"


def count_tokens(folder: str) -> list[dict[str, object]]:
    """How many tokens texts are, with and without a table."""
    table = Path(folder, "seg_dict")
    table.write_text(SEGMENTATION, encoding="utf-8")
    plain = CharTokenizer(split_with_space=True)
    segmenting = CharTokenizer(split_with_space=True, seg_dict=str(table))
    return [
        {
            "text": text,
            "plain": len(plain.text2tokens(text)),
            "segmented": len(segmenting.text2tokens(text)),
        }
        for text in TEXTS
    ]


def main() -> None:
    found = []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "model")
        export_random_model("monotonic_aligner", "tiny", 0, folder, with_torch=True)
        model = AutoModel(model=str(folder), device="cpu", disable_update=True)
        for seconds, text in CASES:
            wav, words = Path(work, "speech.wav"), Path(work, "text.txt")
            # Whole values of 16 bits, which any way of reading gives alike.
            samples = np.round(cut(seconds, start=5.0) * 32767) / 32768
            soundfile.write(wav, samples, SAMPLE_RATE, subtype="PCM_16")
            words.write_text(text, encoding="utf-8")
            (result,) = model.generate(
                input=(str(wav), str(words)), data_type=("sound", "text"), disable_pbar=True
            )
            found.append({"seconds": seconds, "text": text, "timestamp": result["timestamp"]})
        golden = {"times": found, "segmentation": SEGMENTATION, "tokens": count_tokens(work)}
    target = Path(__file__).with_name("alignments.json")
    target.write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
