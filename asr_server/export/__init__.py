"""Exports checkpoints by FunASR; needs torch."""
