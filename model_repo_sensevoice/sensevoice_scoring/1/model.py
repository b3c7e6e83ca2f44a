"""SenseVoice's best token ids to tags, text, words and times."""

from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.sensevoice.scoring import EMPTY_RESULT, TOKENIZER_NAME, SenseVoiceScoring
from asr_core.text.word_tensors import pack_words
from asr_triton.answers import read, respond

TEXT_OUTPUTS = {
    "TRANSCRIPTS": "transcript",
    "TEXT": "text",
    "DETECTED_LANGUAGE": "language",
    "EMOTION": "emotion",
    "EVENT": "event",
}


class TritonPythonModel:
    """Scores each row of each request by itself."""

    def initialize(self, args):
        self.scoring = SenseVoiceScoring(Path(pb_utils.get_model_dir()) / TOKENIZER_NAME)

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        results = [self.score(*row) for row in read_rows(request)]
        packed = pack_words([result.words for result in results])
        texts = {
            name: np.array([[getattr(result, field)] for result in results], np.object_)
            for name, field in TEXT_OUTPUTS.items()
        }
        return respond({**texts, **packed.outputs()})

    def score(self, ids, scores, num_audio_frames):
        # Without audio the prompt frames alone would decode to tags of nothing.
        return self.scoring(ids, scores) if num_audio_frames else EMPTY_RESULT


def read_rows(request):
    """Yield each row without the padding that batching added."""
    ids, scores, lengths, audio_lengths = (
        read(request, name)
        for name in ("token_ids", "token_scores", "encoder_out_lens", "speech_lengths")
    )
    for row, frames in enumerate(lengths[:, 0]):
        yield ids[row, :frames], scores[row, :frames], audio_lengths[row, 0]
