"""How those count who read the gateway's `timestamp`, written from what their code does.

FunASR's HTML client (`runtime/html5/static/main.js`, `handleWithTimestamp`) makes every one of
。？，、?. and the space a comma, splits at commas, and takes the pair at its counter for each piece
that is not empty; then a piece of letters a to z moves the counter by one, any other by its length
in UTF-16. FunASR's servers (`runtime/onnxruntime/src/util.cpp`) take Chinese characters, figures
and signs one by one, and what is between them as words.
"""

from __future__ import annotations

import re


def client_pieces(text: str) -> list[tuple[int, str]]:
    """Return the pairs that the HTML client looks up, by number, and what for; and the total."""
    looked_up: list[tuple[int, str]] = []
    count = 0
    for piece in re.sub("[。？，、?. ]", ",", text).split(","):
        if piece in ("", "undefined"):
            continue
        looked_up.append((count, piece))
        is_english = re.fullmatch("[a-zA-Z]+", piece, re.ASCII)
        count += 1 if is_english else len(piece.encode("utf-16-le")) // 2
    return [*looked_up, (count, "")]


def server_units(text: str) -> list[str]:
    """Return what FunASR's C++ servers give a pair each, in the text without its marks."""
    units = re.findall(r"[\u4e00-\u9fff]|[0-9]|[^\u4e00-\u9fff0-9\s，。？、,?]+", text)
    return [part for unit in units for part in re.findall(r"[A-Za-z'&-]+|[^A-Za-z'&-]", unit)]
