"""The options of the gateway: FunASR's names where FunASR has the option."""

from __future__ import annotations

import argparse
import os

from asr_client.cli.arguments import (
    Joined,
    positive_count,
    positive_seconds,
    seconds,
    speakers_word,
    vad_option,
)
from asr_client.cli.common import URL_VARIABLE
from asr_contract.access import KEY_VARIABLE
from asr_contract.command_parser import CommandParser
from asr_contract.installed import installed_version

from ..shared import (
    MAX_UPLOAD_MB,
    MODELS,
    ONLINE_MODELS,
    SERVICES,
    GatewaySettings,
)

_DEFAULTS = GatewaySettings()
_MAX_SECONDS = 1e6


def gateway_parser() -> CommandParser:
    """Return the parser of `triton-asr-gateway`."""
    parser = CommandParser(
        prog="triton-asr-gateway",
        description="Serves FunASR's websocket protocol, OpenAI's transcription and Realtime APIs "
        "and a web page in front of one or several Triton servers.",
    )
    version = f"%(prog)s {installed_version()}"
    parser.add_argument("--version", action="version", version=version)
    _add_addresses(parser)
    _add_recognition(parser)
    _add_access(parser)
    _add_limits(parser)
    parser.add_argument("--log-text", action="store_true", help="log recognised text, too")
    return parser


def _add_addresses(parser: argparse.ArgumentParser) -> None:
    """Add where Triton is, and where to listen."""
    add = parser.add_argument
    add(
        "--triton",
        action=Joined,
        default=os.environ.get(URL_VARIABLE) or _DEFAULTS.triton_url,
        metavar="URL",
        help=_help(
            "Triton's URL; for several servers, separate them with commas, repeat the option, or "
            f"give a host name with several addresses; also in the variable {URL_VARIABLE}"
        ),
    )
    add(
        "--triton-timeout",
        type=_seconds,
        default=_DEFAULTS.triton_timeout_s,
        metavar="S",
        help=_help("seconds for one request to Triton"),
    )
    add("--host", "--listen-ip", default=_DEFAULTS.host, help=_help("address to listen on"))
    add("--port", type=_port, default=_DEFAULTS.port, help=_help("0 picks a free one"))
    add("--certfile", default="", metavar="PEM", help='TLS certificate; "0" or "" for no TLS')
    add("--keyfile", default="", metavar="PEM", help="private key of the certificate")


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    """Add what is recognised, by which models."""
    add = parser.add_argument
    add(
        "--service",
        choices=SERVICES,
        default=_DEFAULTS.service,
        help=_help("offline: one reply at the end of the audio, whatever mode a client asks for"),
    )
    add(
        "--offline-is-final",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether is_final is true in that reply; FunASR's C++ server says false (default: "
        "yes)",
    )
    add(
        "--model",
        choices=MODELS,
        default=_DEFAULTS.model,
        help=_help("model of the second pass and files"),
    )
    add(
        "--online-model",
        choices=ONLINE_MODELS,
        default=_DEFAULTS.online_model,
        help=_help("model of the live text"),
    )
    add(
        "--model-alias",
        type=_alias,
        action="append",
        default=[],
        metavar="NAME=MODEL",
        help="another name for a model in HTTP requests; whisper-1, gpt-4o-transcribe and similar "
        "names are already known",
    )
    add("--hotword", default="", metavar="FILE", help="text file of hotwords for every request")
    add(
        "--speakers",
        nargs="?",
        const="auto",
        type=speakers_word,
        metavar="N|auto",
        help="tell speakers apart on websockets even if the client does not ask for it",
    )
    add(
        "--known-speakers",
        default="",
        metavar="FILE",
        help="speakers.json with the names and recordings of known speakers (docs/speakers.md)",
    )
    add(
        "--vad-option",
        type=vad_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="FunASR's option of the VAD, such as max_end_silence_time=500; may be repeated",
    )
    add(
        "--step-ms",
        type=positive_count,
        default=_DEFAULTS.step_ms,
        metavar="MS",
        help=_help("live audio is sent to Triton in steps of at least this length"),
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    """Add who is let in."""
    access = parser.add_argument_group(f"access (or a key in the variable {KEY_VARIABLE})")
    access.add_argument("--api-key-file", metavar="FILE", help="API keys, one per line")
    access.add_argument(
        "--no-api-key",
        action="store_true",
        help="let in everybody who can reach --host, also from other machines",
    )
    access.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="origin of a web page that may use the gateway, such as https://example.org; null "
        "for pages opened as files, * for all; may be repeated (default: none)",
    )
    access.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="host name by which browsers may reach a gateway without API keys, besides "
        "localhost, --host and this machine's name; * allows any; may be repeated",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add how much, and for how long."""
    add = parser.add_argument_group("limits").add_argument
    add(
        "--max-upload-mb",
        type=_upload_size,
        default=_DEFAULTS.max_upload_bytes // 1_000_000,
        metavar="MB",
        help=_help("largest file over HTTP"),
    )
    add(
        "--max-sessions",
        type=positive_count,
        default=_DEFAULTS.max_sessions,
        metavar="N",
        help=_help("websockets and transcriptions at a time"),
    )
    add(
        "--max-sessions-per-client",
        type=positive_count,
        default=_DEFAULTS.max_sessions_per_client,
        metavar="N",
        help=_help("the same for one API key or, without keys, one address"),
    )
    add(
        "--first-message-timeout",
        type=_seconds,
        default=_DEFAULTS.first_message_timeout_s,
        metavar="S",
        help=_help("seconds until a new websocket must send its first message"),
    )
    add(
        "--idle-timeout",
        type=_seconds,
        default=_DEFAULTS.idle_timeout_s,
        metavar="S",
        help=_help("seconds without a message after which a websocket is closed"),
    )
    add(
        "--hold",
        type=_seconds,
        default=_DEFAULTS.hold_s,
        metavar="S",
        help=_help("seconds that live sessions wait for a Triton that is away"),
    )
    add(
        "--send-timeout",
        type=_seconds,
        default=_DEFAULTS.send_timeout_s,
        metavar="S",
        help=_help("seconds that a client may take to read a reply"),
    )
    add(
        "--header-timeout",
        type=_seconds,
        default=_DEFAULTS.header_timeout_s,
        metavar="S",
        help=_help("seconds that the headers of a request may take"),
    )
    add(
        "--upload-idle-timeout",
        type=_seconds,
        default=_DEFAULTS.upload_idle_timeout_s,
        metavar="S",
        help=_help("longest pause within an upload, in seconds"),
    )
    add(
        "--drain-s",
        type=seconds,
        default=_DEFAULTS.drain_s,
        metavar="S",
        help=_help("seconds that utterances and files may go on after SIGTERM"),
    )
    add(
        "--shutdown-grace",
        type=_seconds,
        default=_DEFAULTS.shutdown_grace_s,
        metavar="S",
        help=_help("seconds for the results of what is cut after that, or by Ctrl-C"),
    )


def _help(text: str) -> str:
    return f"{text} (default: %(default)s)"


def _alias(text: str) -> tuple[str, str]:
    """Parse NAME=MODEL; a name may hold `=`."""
    name, _, model = text.rpartition("=")
    if not name or model not in MODELS:
        raise argparse.ArgumentTypeError(
            f"expected NAME=MODEL with one of {', '.join(MODELS)}; got {text!r}"
        )
    return name, model


def _seconds(word: str) -> float:
    """Parse a number of seconds; what is longer than days would be a mistake."""
    value = positive_seconds(word)
    if value >= _MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"expected less than {_MAX_SECONDS:g} s; got {word}")
    return value


def _port(word: str) -> int:
    if not word.isdecimal() or int(word) >= 1 << 16:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535; got {word}")
    return int(word)


def _upload_size(word: str) -> int:
    value = positive_count(word)
    if value > MAX_UPLOAD_MB:
        raise argparse.ArgumentTypeError(f"expected at most {MAX_UPLOAD_MB}; got {word}")
    return value
