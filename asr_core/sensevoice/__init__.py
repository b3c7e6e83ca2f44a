"""SenseVoice: prompts, CTC, tags."""
