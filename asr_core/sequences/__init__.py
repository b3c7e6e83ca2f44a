"""Requests that belong together: which is whose, who works at them, and when they are forgotten.

`turns` reads a request's place in its sequence, `sessions` keeps the states of the open ones,
`places` limits their number over all processes, and `dispatcher` shares requests out to worker
threads.
"""

from asr_core.sequences.dispatcher import SequenceDispatcher
from asr_core.sequences.places import SessionPlaces
from asr_core.sequences.sessions import Reaper, SessionLimitError, SessionTable, UnknownSessionError
from asr_core.sequences.turns import Turn, read_turn

__all__ = [
    "Reaper",
    "SequenceDispatcher",
    "SessionLimitError",
    "SessionPlaces",
    "SessionTable",
    "Turn",
    "UnknownSessionError",
    "read_turn",
]
