"""Whatever holds audio, as 16 kHz mono float32."""
