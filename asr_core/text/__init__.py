"""Tokens to words to text, and when each word was said."""
