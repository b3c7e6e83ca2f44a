"""What all sessions of a gateway share, whatever protocol they speak.

`Gateway` holds one of each: `settings` (what it was told when it started), the client of Triton,
`auth` (API keys), `limits` (how many sessions), `metrics`, `hotwords` (which words the models
take). `outage` knows whether Triton is away. `logs` writes a JSON object for each thing that
happens, `tracing` records spans, `failures` says what a client is told of a failure.
"""

from .failures import GATEWAY_FAILED, failure_kind, logged, told
from .gateway import Gateway
from .hotwords import all_warnings
from .limits import SHUTDOWN_MESSAGE, TooManySessions
from .logs import log_event, set_up_logging
from .model_names import DEFAULT_MODEL_NAME, EXPECTED_NAMES, MODELS, ONLINE_MODELS, ModelNames
from .outage import RETRY_AFTER_S, TritonAway, TritonWatch, is_outage, through_outages
from .settings import MAX_UPLOAD_MB, SERVICES, GatewaySettings, SettingsError
from .tracing import HTTP_STATUS, joined, served, start_tracing

__all__ = [
    "DEFAULT_MODEL_NAME",
    "EXPECTED_NAMES",
    "GATEWAY_FAILED",
    "HTTP_STATUS",
    "MAX_UPLOAD_MB",
    "MODELS",
    "ONLINE_MODELS",
    "RETRY_AFTER_S",
    "SERVICES",
    "SHUTDOWN_MESSAGE",
    "Gateway",
    "GatewaySettings",
    "ModelNames",
    "SettingsError",
    "TooManySessions",
    "TritonAway",
    "TritonWatch",
    "all_warnings",
    "failure_kind",
    "is_outage",
    "joined",
    "log_event",
    "logged",
    "served",
    "set_up_logging",
    "start_tracing",
    "through_outages",
    "told",
]
