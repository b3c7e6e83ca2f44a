"""Who speaks when: windows over speech, their embeddings by the model `speaker`, clusters of them.

    segment of the VAD ─ windows of 1.5 s ─> `speaker` ─ embeddings ─> clusters ─ turns ─> sentences

`windows` cuts, `voices` asks the server, `gathering` keeps what hours of windows say in bounded
memory, `clustering` finds the speakers at the end (by SciPy, the extra `speakers`), `turns` makes
stretches of time of it, and `labelling` tells each word whose it is and splits sentences where the
speaker changes.
"""

from .diariser import Diariser
from .labelling import label_sentences

__all__ = ["Diariser", "label_sentences"]
