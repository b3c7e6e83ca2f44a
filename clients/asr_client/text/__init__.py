"""Text after recognition: figures, times, subtitles, error rates."""
