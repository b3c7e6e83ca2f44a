"""Streaming Paraformer: windows of many streams to text."""
