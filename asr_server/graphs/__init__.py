"""Rewrites FunASR's exported ONNX graphs into the ones that are served, and proves the result."""
