"""Measures the server against named contestants, on the same audio, in one run."""
