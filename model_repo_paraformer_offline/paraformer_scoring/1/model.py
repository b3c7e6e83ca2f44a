"""Paraformer's token ids to text, words and times."""

from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.paraformer.scoring import ParaformerRow, load_scoring
from asr_core.text.timestamps import CIF_UPSAMPLING
from asr_core.text.word_tensors import pack_words
from asr_core.text.words import join_words
from asr_triton.answers import read, respond

ROW_INPUTS = ("token_ids", "token_scores", "us_alphas", "us_cif_peak")


class TritonPythonModel:
    """Scores each row of each request by itself."""

    def initialize(self, args):
        self.scoring = load_scoring(Path(pb_utils.get_model_dir()))

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        words = [self.scoring(row) for row in read_rows(request)]
        texts = np.array([[join_words(row)] for row in words], np.object_)
        packed = pack_words(words)
        return respond({"TRANSCRIPTS": texts, **packed.outputs()})


def read_rows(request):
    """Yield each row without the padding that batching added."""
    ids, scores, alphas, peaks = (read(request, name) for name in ROW_INPUTS)
    token_nums = read(request, "token_num")[:, 0].tolist()
    lengths = read(request, "speech_lengths")[:, 0].tolist()
    for row, (tokens, frames) in enumerate(zip(token_nums, lengths, strict=True)):
        cif_frames = frames * CIF_UPSAMPLING
        yield ParaformerRow(
            ids[row, :tokens],
            scores[row, :tokens],
            alphas[row, :cif_frames],
            peaks[row, :cif_frames],
        )
