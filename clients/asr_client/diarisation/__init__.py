"""Who speaks when: windows over speech, their embeddings by the model `speaker`, clusters of them.

    segment of the VAD ─ windows of 1.5 s ─> `speaker` ─ embeddings ─> clusters ─ turns ─> sentences

`windows` cuts, `voices` asks the server, `gathering` keeps what hours of windows say in bounded
memory, `clustering` finds the speakers at the end (a first guess by SciPy, the extra `speakers`,
then `resegmentation`), `turns` makes stretches of time of it, and `labelling` tells each word whose
it is and splits sentences where the speaker changes. `finder` is all of it behind the model,
`diariser` with the model, `live` while it is spoken; `enrolment` learns voices that have a name.
"""

from ..speaker_count import MAX_SPEAKERS, SpeakerCount, checked_speakers, read_speakers
from .diariser import Diariser
from .enrolment import enrol
from .labelling import label_sentences
from .live import LiveSpeakers, SegmentVoices, hear_voices

__all__ = [
    "MAX_SPEAKERS",
    "Diariser",
    "LiveSpeakers",
    "SegmentVoices",
    "SpeakerCount",
    "checked_speakers",
    "enrol",
    "hear_voices",
    "label_sentences",
    "read_speakers",
]
