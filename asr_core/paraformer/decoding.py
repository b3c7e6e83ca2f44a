"""What searches for words among a Paraformer's candidates."""

from __future__ import annotations

from pathlib import Path

from asr_core.decoding import Decoder, HotwordSettings, PieceSpeller, load_decoder, search_positions
from asr_core.paraformer.hotword_tokenizer import SEGMENTATION_FILE, load_segmentation
from asr_core.paraformer.scoring import load_pieces, silent_ids


def load_paraformer_decoder(
    model_dir: Path, settings: HotwordSettings, segmentation_dir: Path | None = None
) -> Decoder:
    """Build the decoder of the model whose `tokens.json` lies in `model_dir`.

    Args:
        model_dir: a version's folder.
        settings: of the hotwords.
        segmentation_dir: holds `seg_dict`, where the model has one; `model_dir` by default.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not what it should be.
    """
    pieces = load_pieces(model_dir)
    segmentation = load_segmentation((segmentation_dir or model_dir) / SEGMENTATION_FILE)
    spell = PieceSpeller(pieces, segmentation)
    return load_decoder(model_dir, search_positions, silent_ids(pieces), spell, settings, pieces)
