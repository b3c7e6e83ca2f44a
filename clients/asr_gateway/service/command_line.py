"""The command line of the gateway: FunASR's names where FunASR has the option."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from asr_client import FileOptions, KnownSpeakers, OptionError, StorageFull
from asr_client.cli.arguments import (
    Joined,
    positive_count,
    positive_seconds,
    seconds,
    speakers_word,
    vad_option,
)
from asr_client.cli.common import URL_VARIABLE
from asr_client.storage import temporary_folder
from asr_contract import read_text
from asr_contract.access import KEY_VARIABLE, read_keys
from asr_contract.installed import installed_version

from ..shared import (
    MAX_UPLOAD_MB,
    MODELS,
    ONLINE_MODELS,
    SERVICES,
    GatewaySettings,
    SettingsError,
    log_event,
    set_up_logging,
    start_tracing,
)
from .server import AddressError, GatewayServer, check_address

_DEFAULTS = GatewaySettings()
_MAX_SECONDS = 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a gateway until SIGINT or SIGTERM; returns the exit status, 2 for wrong options."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = read_settings(options)
        end_tracing = start_tracing()
        server = GatewayServer(settings, lambda host, port: _announce(settings, host, port))
        check_address(settings.host, settings.port)
        temporary_folder().cleanup()  # uploads and recordings need one
    except (SettingsError, OptionError, OSError) as error:
        parser.error(str(error))
    except (AddressError, StorageFull) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    set_up_logging()
    for number in (signal.SIGINT, signal.SIGTERM):
        # From here on, and when uvicorn raises the signal that stopped it once more: the exit
        # status must be ours.
        signal.signal(number, server.handle_exit)
    server.run()
    end_tracing()
    return 0 if server.started else 1


def read_settings(options: argparse.Namespace) -> GatewaySettings:
    """Return what the command line and the environment say.

    Raises:
        SettingsError, OptionError: it makes no sense.
        OSError: a file cannot be read.
    """
    vad_options = dict(options.vad_option)
    FileOptions(vad_options=vad_options)  # checks them
    return GatewaySettings(
        triton_url=options.triton,
        triton_timeout_s=options.triton_timeout,
        host=options.host,
        port=options.port,
        certfile=_file_or_none(options.certfile),
        keyfile=_file_or_none(options.keyfile),
        service=options.service,
        offline_is_final=options.offline_is_final,
        model=options.model,
        online_model=options.online_model,
        model_aliases=dict(options.model_alias),
        hotwords=_read_text(options.hotword),
        speakers=options.speakers,
        known_speakers=(
            KnownSpeakers.read(options.known_speakers) if options.known_speakers else None
        ),
        vad_options=vad_options,
        step_ms=options.step_ms,
        api_keys=_api_keys(options),
        allow_anyone=options.no_api_key,
        allowed_origins=tuple(options.allow_origin),
        allowed_hosts=tuple(options.allowed_host),
        max_upload_bytes=options.max_upload_mb * 1_000_000,
        max_sessions=options.max_sessions,
        max_sessions_per_client=options.max_sessions_per_client,
        first_message_timeout_s=options.first_message_timeout,
        idle_timeout_s=options.idle_timeout,
        hold_s=options.hold,
        send_timeout_s=options.send_timeout,
        header_timeout_s=options.header_timeout,
        upload_idle_timeout_s=options.upload_idle_timeout,
        drain_s=options.drain_s,
        shutdown_grace_s=options.shutdown_grace,
        log_text=options.log_text,
    )


def _announce(settings: GatewaySettings, host: str, port: int) -> None:
    """Say where the gateway is: on stdout for people and scripts, and in the log."""
    scheme = "https" if settings.certfile else "http"
    address = f"[{host}]" if ":" in host else host
    print(f"page      {scheme}://{address}:{port}/")
    print(f"websocket {scheme.replace('http', 'ws')}://{address}:{port}/ws")
    print(f"OpenAI    {scheme}://{address}:{port}/v1", flush=True)
    log_event("started", host=host, port=port, triton=settings.triton_url, model=settings.model)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="triton-asr-gateway",
        description="FunASR's websocket protocol, OpenAI's transcription API and a web page, in "
        "front of a Triton server.",
    )
    version = f"%(prog)s {installed_version()}"
    parser.add_argument("--version", action="version", version=version)
    _add_addresses(parser)
    _add_recognition(parser)
    _add_access(parser)
    _add_limits(parser)
    parser.add_argument("--log-text", action="store_true", help="log recognised text")
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
            "of the server; several by commas, by the option again, or by a name with several "
            f"addresses; {URL_VARIABLE} of the environment names them, too"
        ),
    )
    add("--triton-timeout", type=_seconds, default=_DEFAULTS.triton_timeout_s, metavar="S")
    add("--host", "--listen-ip", default=_DEFAULTS.host, help=_help("where to listen"))
    add("--port", type=_port, default=_DEFAULTS.port, help=_help("0 picks a free one"))
    add("--certfile", default="", metavar="PEM", help='for TLS; "0" or "" for none')
    add("--keyfile", default="", metavar="PEM", help='for TLS; "0" or "" for none')


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    """Add what is recognised, by which models."""
    add = parser.add_argument
    add(
        "--service",
        choices=SERVICES,
        default=_DEFAULTS.service,
        help=_help("offline: one reply at the end of input, whatever mode a client names"),
    )
    add(
        "--offline-is-final",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="is_final of that reply; FunASR's C++ server says false (default: yes)",
    )
    add("--model", choices=MODELS, default=_DEFAULTS.model, help=_help("second pass and files"))
    add(
        "--online-model",
        choices=ONLINE_MODELS,
        default=_DEFAULTS.online_model,
        help=_help("text while somebody speaks"),
    )
    add(
        "--model-alias",
        type=_alias,
        action="append",
        default=[],
        metavar="NAME=MODEL",
        help="another name for a model in HTTP requests; whisper-1, gpt-4o-transcribe and the like "
        "are known",
    )
    add("--hotword", default="", metavar="FILE", help="words to expect in every request")
    add(
        "--speakers",
        nargs="?",
        const="auto",
        type=speakers_word,
        metavar="N|auto",
        help="tell who speaks on websockets, too, whose clients do not ask for it",
    )
    add(
        "--known-speakers",
        default="",
        metavar="FILE",
        help="a speakers.json, with names and a recording of each: who is known is called by name",
    )
    add(
        "--vad-option",
        type=vad_option,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="such as max_end_silence_time=500; FunASR's names",
    )
    add(
        "--step-ms",
        type=positive_count,
        default=_DEFAULTS.step_ms,
        help=_help("of live audio, a request"),
    )


def _add_access(parser: argparse.ArgumentParser) -> None:
    """Add who is let in."""
    access = parser.add_argument_group(f"access (keys may come in {KEY_VARIABLE}, too)")
    access.add_argument("--api-key-file", metavar="FILE", help="keys, one a line")
    access.add_argument(
        "--no-api-key",
        action="store_true",
        help="let everybody in, though other machines can reach the gateway",
    )
    access.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a web page's origin, such as https://example.org, that may use the gateway; "
        "null for pages opened as files, * for all (default: none)",
    )
    access.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name under which browsers may ask for the gateway where no key is needed, beside "
        "localhost, --host and this machine's; * for any",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """Add how much, and for how long."""
    add = parser.add_argument_group("limits").add_argument
    add("--max-upload-mb", type=_upload_size, default=_DEFAULTS.max_upload_bytes // 1_000_000)
    add("--max-sessions", type=positive_count, default=_DEFAULTS.max_sessions)
    add("--max-sessions-per-client", type=positive_count, default=_DEFAULTS.max_sessions_per_client)
    add(
        "--first-message-timeout",
        type=_seconds,
        default=_DEFAULTS.first_message_timeout_s,
        metavar="S",
        help=_help("for a websocket that was opened"),
    )
    add("--idle-timeout", type=_seconds, default=_DEFAULTS.idle_timeout_s, metavar="S")
    add(
        "--hold",
        type=_seconds,
        default=_DEFAULTS.hold_s,
        metavar="S",
        help=_help("how long live sessions wait for a Triton that died"),
    )
    add("--send-timeout", type=_seconds, default=_DEFAULTS.send_timeout_s, metavar="S")
    add("--header-timeout", type=_seconds, default=_DEFAULTS.header_timeout_s, metavar="S")
    add(
        "--upload-idle-timeout",
        type=_seconds,
        default=_DEFAULTS.upload_idle_timeout_s,
        metavar="S",
    )
    add(
        "--drain-s",
        type=seconds,
        default=_DEFAULTS.drain_s,
        metavar="S",
        help=_help("how long utterances and files may go on after SIGTERM"),
    )
    add(
        "--shutdown-grace",
        type=_seconds,
        default=_DEFAULTS.shutdown_grace_s,
        metavar="S",
        help=_help("for the results of what is cut then, or by Ctrl-C"),
    )


def _help(text: str) -> str:
    return f"{text} (default: %(default)s)"


def _api_keys(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the keys of the environment and the file."""
    try:
        return tuple(read_keys(os.environ, options.api_key_file))
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _alias(text: str) -> tuple[str, str]:
    """Parse NAME=MODEL; a name may hold `=`."""
    name, _, model = text.rpartition("=")
    if not name or model not in MODELS:
        raise argparse.ArgumentTypeError(
            f"expected NAME=MODEL with one of {', '.join(MODELS)}; got {text!r}"
        )
    return name, model


def _file_or_none(name: str) -> Path | None:
    """Return a path; None for "0" and "", which switch TLS off in FunASR's servers."""
    return None if name in ("", "0") else Path(name)


def _read_text(name: str) -> str:
    """Return the text of a file; "" for no name."""
    try:
        return read_text(name).strip() if name else ""
    except ValueError as error:
        raise SettingsError(str(error)) from None


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
