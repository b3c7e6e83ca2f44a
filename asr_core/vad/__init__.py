"""FSMN-VAD: frames of many streams to segments of speech."""
