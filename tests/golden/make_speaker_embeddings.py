"""Writes speaker_embeddings.json: embeddings by FunASR's own CAMPPlus and its own features.

    python tests/golden/make_speaker_embeddings.py      (needs the `export` extra)

The weights are those of `campplus-tiny-seed0`, made anew from their seed.
"""

import json
import tempfile
from pathlib import Path

import torch
from funasr.models.campplus.utils import extract_feature

from asr_server.export.speaker_export import load_speaker_form
from lab.random_models.export import export_random_model
from tests.recordings import cut

SECONDS = (0.215, 1.5, 2.2, 6.0, 13.3)


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        folder = export_random_model("campplus", "tiny", 0, Path(work, "model"), with_torch=True)
        model = load_speaker_form(folder, "campplus_cn_common.bin").model
        embeddings = []
        for seconds in SECONDS:
            sound = cut(seconds, start=5.0)
            features, _, _ = extract_feature([torch.from_numpy(sound)])
            with torch.no_grad():
                embeddings.append(model(features)[0].tolist())
    target = Path(__file__).with_name("speaker_embeddings.json")
    target.write_text(json.dumps(embeddings) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
