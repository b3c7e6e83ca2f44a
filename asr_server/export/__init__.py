"""Exports checkpoints by FunASR, in a process of their own; only that needs torch."""

from asr_server.export.checkpoint import check_exporter, export_checkpoint

__all__ = ["check_exporter", "export_checkpoint"]
