"""Waveforms to features: fbank, LFR, CMVN, and the feature extractors' requests."""
