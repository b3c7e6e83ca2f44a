"""From exported ONNX graphs to those that are served: rewritten, proved, converted.

prepare    token ids out, rows independent of their batch, or nothing at all
convert    int8 and float16 of a prepared graph, with a report of what that costs
"""

from asr_server.graphs.conversion import ConversionReport, convert
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.front_end import FrontEnd, front_end_model, load_front_end
from asr_server.graphs.hotword_embedder import convert_embedder
from asr_server.graphs.preparation import prepare
from asr_server.graphs.report import TAKES_HOTWORDS, Report, read_metadata
from asr_server.graphs.warm_up import WarmUpInput

__all__ = [
    "TAKES_HOTWORDS",
    "ConversionReport",
    "FrontEnd",
    "PrepareError",
    "Report",
    "WarmUpInput",
    "convert",
    "convert_embedder",
    "front_end_model",
    "load_front_end",
    "prepare",
    "read_metadata",
]
