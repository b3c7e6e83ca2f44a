"""Whether a live recognition keeps up with the speaker, and what it leaves out if it does not.

Partial texts can be left out: the second pass gives the same words, more accurately. Everything
else waits, so that nothing is lost: audio in the inbox, and when that is full in the client.
"""

from __future__ import annotations

import time

from .first_pass import FirstPass
from .inbox import AudioSource

# Audio that is so much ahead of the clock is a file's: nobody speaks so fast.
_AHEAD_S = 1.0

LATE_S = 3.0
"""Audio that waits longer, for the VAD or for the first pass, is not kept up with."""

_PAUSE_S = 10.0  # of partial texts, from when that was last seen


class Pace:
    """The pace of one recognition.

    Args:
        source: of its audio.
    """

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self._begun_s: float | None = None
        self._again_s = 0.0  # when partial texts are given again

    def begin(self) -> None:
        """Say that audio is there; the first time counts."""
        self._begun_s = self._begun_s or time.monotonic()

    def is_file(self, heard_s: float) -> bool:
        """Return whether the audio comes faster than it can be spoken.

        A file's partial texts come in order, before the sentence. While somebody speaks, the
        sentence does not wait for partial texts, whose words it repeats.

        Args:
            heard_s: how much of it the VAD has heard.
        """
        elapsed_s = 0.0 if self._begun_s is None else time.monotonic() - self._begun_s
        return heard_s - elapsed_s > _AHEAD_S

    def spares_partials(self, heard_s: float, session: FirstPass | None) -> bool:
        """Return whether speech gets no partial texts for now.

        Args:
            heard_s: as above.
            session: that gives them; None before there is one.
        """
        if self.is_file(heard_s):
            return False
        unanswered_s = 0.0 if session is None else session.unanswered_s
        if max(self._source.late_s, unanswered_s) > LATE_S:
            self._again_s = time.monotonic() + _PAUSE_S
        return time.monotonic() < self._again_s
