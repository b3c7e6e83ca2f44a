"""Paraformer: CIF, hotwords, tokens to words."""
