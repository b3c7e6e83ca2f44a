"""Writes cif_timestamps.json: token times by FunASR's PyTorch code where fires do not fit.

    python tests/golden/make_cif_timestamps.py      (needs the `export` extra)

`funasr_onnx` stops with an assertion there; `funasr.utils.timestamp_tools` rescales the weights.
Its limit on a token's length (12 frames) is lifted to the 30 frames of `funasr_onnx`.
"""

import inspect
import json
from pathlib import Path

import numpy as np
import torch
from funasr.utils import timestamp_tools

UPSTREAM = inspect.getsource(timestamp_tools.ts_prediction_lfr6_standard)
scope = vars(timestamp_tools)
exec(UPSTREAM.replace("MAX_TOKEN_DURATION = 12", "MAX_TOKEN_DURATION = 30"), scope)
ts_prediction = scope["ts_prediction_lfr6_standard"]


def main() -> None:
    cases = []
    for seed, (num_frames, num_tokens) in enumerate([(60, 4), (90, 6), (150, 11), (300, 7)]):
        rng = np.random.default_rng(seed)
        alphas = torch.tensor(rng.random(num_frames) ** 6, dtype=torch.float32)
        peaks = timestamp_tools.cif_wo_hidden(alphas[None], threshold=1.0 - 1e-4)[0]
        tokens = [chr(ord("a") + index) for index in range(num_tokens)]
        _, spans = ts_prediction(alphas.clone(), peaks, list(tokens))
        cases.append(
            {
                "us_alphas": alphas.tolist(),
                "us_cif_peak": peaks.tolist(),
                "num_tokens": num_tokens,
                "spans": spans,
            }
        )
    target = Path(__file__).with_name("cif_timestamps.json")
    target.write_text(json.dumps(cases) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
