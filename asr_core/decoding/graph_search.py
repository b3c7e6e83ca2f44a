"""Hotwords together with a search that knows nothing of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
LogProbs = NDArray[np.float32]

RowSearch = Callable[[Ids, LogProbs], tuple[Ids, LogProbs]]
"""Candidates [N, K] of a row's steps or frames, the best first, to one each [N]."""

_HARDLY = -30.0  # natural log of what is left for other tokens


def hotwords_first(for_hotwords: RowSearch, search: RowSearch) -> RowSearch:
    """Return a search that takes the tokens that hotwords have changed as all but certain.

    It overrules them only where it has no path through them.

    Args:
        for_hotwords: finds the hotwords.
        search: finds the rest.
    """

    def both(ids: Ids, log_probs: LogProbs) -> tuple[Ids, LogProbs]:
        heard, heard_log_probs = for_hotwords(ids, log_probs)
        changed = np.flatnonzero(heard != ids[:, 0]) if len(ids) else np.zeros(0, np.int64)
        if not len(changed):
            return search(ids, log_probs)
        ids, log_probs = ids.copy(), log_probs.copy()
        ids[changed] = np.where(
            ids[changed] == heard[changed, None], ids[changed, :1], ids[changed]
        )
        ids[changed, 0] = heard[changed]
        log_probs[changed] = _HARDLY
        log_probs[changed, 0] = 0.0
        chosen, chosen_log_probs = search(ids, log_probs)
        kept = changed[chosen[changed] == heard[changed]]
        chosen_log_probs[kept] = heard_log_probs[kept]
        return chosen, chosen_log_probs

    return both
