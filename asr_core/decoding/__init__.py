"""Search over a graph's best candidates, with what is known of the words besides the audio.

    candidate_ids, candidate_scores ─ search ─ ids and log-probabilities, as the graph's own best
                                        │
                  hotwords, language model (scorers)

`position_search` is Paraformer's, a token for each decoder step; `ctc_search` is SenseVoice's, over
frames. What they return stands in the place of the graph's best ids, so that times, confidences and
tags are made of it in the same way. `hotword_trie` gives bonuses to words, which `spelling` writes
with the recogniser's tokens and `hotword_lists` collects; `decoder` is what a scoring holds of it.
"""

from asr_core.decoding.ctc_search import search_frames
from asr_core.decoding.decoder import Decoder, load_decoder
from asr_core.decoding.graph_search import RowSearch
from asr_core.decoding.hotword_lists import (
    SERVER_LIST,
    HotwordLists,
    HotwordSettings,
    read_server_list,
    repeat_left_out,
)
from asr_core.decoding.hotword_trie import DEFAULT_WEIGHT, HotwordScorer, HotwordTrie
from asr_core.decoding.position_search import PositionSearch, search_positions
from asr_core.decoding.scorers import (
    DecodingOptions,
    JoinedScorers,
    LanguageModel,
    State,
    TokenScorer,
    WeighedLanguageModel,
)
from asr_core.decoding.spelling import (
    LETTERS_OR_CHARACTER,
    SPACE_MARK,
    Joints,
    PieceSpeller,
    SentencePieceSpeller,
    Speller,
)

__all__ = [
    "DEFAULT_WEIGHT",
    "LETTERS_OR_CHARACTER",
    "SERVER_LIST",
    "SPACE_MARK",
    "Decoder",
    "DecodingOptions",
    "HotwordLists",
    "HotwordScorer",
    "HotwordSettings",
    "HotwordTrie",
    "JoinedScorers",
    "Joints",
    "LanguageModel",
    "PieceSpeller",
    "PositionSearch",
    "RowSearch",
    "SentencePieceSpeller",
    "Speller",
    "State",
    "TokenScorer",
    "WeighedLanguageModel",
    "load_decoder",
    "read_server_list",
    "repeat_left_out",
    "search_frames",
    "search_positions",
]
