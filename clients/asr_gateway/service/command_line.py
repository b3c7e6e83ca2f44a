"""The command line of the gateway: from options to settings, and a server that runs."""

from __future__ import annotations

import argparse
import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path

from asr_client import FileOptions, KnownSpeakers, OptionError, StorageFull
from asr_client.storage import temporary_folder
from asr_contract import read_text
from asr_contract.access import read_keys
from asr_contract.command_parser import describe_os_error

from ..shared import (
    GatewaySettings,
    SettingsError,
    log_event,
    set_up_logging,
    start_tracing,
)
from .options import gateway_parser
from .server import AddressError, GatewayServer, check_address


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a gateway until SIGINT or SIGTERM; returns the exit status, 2 for wrong options."""
    parser = gateway_parser()
    options = parser.parse_args(arguments)
    try:
        settings = read_settings(options)
        end_tracing = start_tracing()
        server = GatewayServer(settings, lambda host, port: _announce(settings, host, port))
        check_address(settings.host, settings.port)
        temporary_folder().cleanup()  # uploads and recordings need one
    except (SettingsError, OptionError) as error:
        parser.error(re.sub("^url:", "--triton:", str(error)))
    except OSError as error:
        parser.error(describe_os_error(error))
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
        hotwords=_read_text("--hotword", options.hotword),
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


def _api_keys(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the keys of the environment and the file."""
    try:
        return tuple(read_keys(os.environ, options.api_key_file))
    except OSError as error:
        raise SettingsError(f"--api-key-file: {describe_os_error(error)}") from None
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _file_or_none(name: str) -> Path | None:
    """Return a path; None for "0" and "", which switch TLS off in FunASR's servers."""
    return None if name in ("", "0") else Path(name)


def _read_text(option: str, name: str) -> str:
    """Return the text of a file that an option names; "" for no name."""
    try:
        return read_text(name).strip() if name else ""
    except OSError as error:
        raise SettingsError(f"{option}: {describe_os_error(error)}") from None
    except ValueError as error:
        raise SettingsError(f"{option}: {error}") from None
