"""Transcribes files of any length: what happens between the media decoder and the sentences.

    ffmpeg ── blocks of PCM ──> `vad` sequence ── segments ──> recogniser ── in order ──>
    punctuation (where the recogniser does none) ──> sentences ──> ITN ──> words with times

`speech_detection` speaks to the model `vad`, `segments` cuts the audio where it says, `punctuation`
speaks to the model of that name, `sentences` makes sentences of what was recognised, and
`transcription` runs all of it at once, bounded at every step: whoever reads the sentences sets the
pace, back to ffmpeg.
"""
