"""Search over a graph's best candidates, with what is known of the words besides the audio.

`scorers` says what a language model is to the searches.
"""

from asr_core.decoding.scorers import DecodingOptions, LanguageModel, State

__all__ = ["DecodingOptions", "LanguageModel", "State"]
