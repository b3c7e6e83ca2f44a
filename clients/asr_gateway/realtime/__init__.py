"""OpenAI's Realtime API, for transcription: `/v1/realtime?intent=transcription`.

    endpoint     admits clients; what the URL, the headers and the subprotocols say
    connection   which event of a client does what
    requests     a client's events, and what is wrong with them
    options      how a session transcribes, and how events show that
    updates      reads `session.update`, in its newer and its older form
    audio        the formats in which audio is appended
    utterance    audio up to a commit: its items, from the VAD or the client, and their text
    events       what is told: dictionaries for `json.dumps`

The recognition is that of the room `live`. There are no responses and no conversation but items of
what was said; an event that asks for more is answered by `error`, and the session goes on.
"""

from .endpoint import RealtimeEndpoint

__all__ = ["RealtimeEndpoint"]
