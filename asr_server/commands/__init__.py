"""The sub-commands of `triton-asr-server`, one a file."""
