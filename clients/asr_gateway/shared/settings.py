"""What a gateway is told when it starts."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asr_client import KnownSpeakers
from asr_client.diarisation import SpeakerCount, checked_speakers
from asr_contract import DEFAULT_RECOGNISER, STREAMING_MODEL, parse_hotwords
from asr_contract.access import KEY_VARIABLE, is_loopback

from .model_names import MODELS

SERVICES = ("2pass", "offline")
MAX_UPLOAD_MB = 4_000  # a WAV header cannot say more than 4 GB


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d+)?")


_ENCRYPTED = b"ENCRYPTED"  # in the first line of a private key, or in its second


class SettingsError(ValueError):
    """The settings make no sense together; the text says which."""


@dataclass(frozen=True)
class GatewaySettings:
    """How a gateway behaves.

    Attributes:
        triton_url: as `AsyncClient` takes it; several with commas between them.
        triton_timeout_s: for one request to Triton.
        host, port: where to listen; port 0 picks a free one.
        certfile, keyfile: PEM files for TLS; None without.
        service: "2pass", or "offline" as FunASR's offline server: one reply at the end of input,
            whatever mode the client names.
        offline_is_final: `is_final` of that reply. FunASR's C++ server says false, and most
            clients expect true or do not look.
        model: of the second pass, of mode `offline` and of HTTP requests that name none.
        online_model: of the first pass, which gives text while somebody speaks: the streaming
            model, or one of whole recordings, which is asked again and again.
        model_aliases: other names of models, for clients that cannot be told ours; name →
            "sensevoice" or "paraformer".
        hotwords: added to those of every request; see `AsyncClient.transcribe`.
        speakers: who speaks on websockets is told where a client does not say whether: how many,
            or "auto"; None to not tell.
        known_speakers: who is called by name where speakers are told apart.
        vad_options: see `AsyncClient.transcribe_file`.
        step_ms: live audio goes to the models in pieces of at least so much.
        api_keys: one of them has to come with every request; none to let everybody in.
        allow_anyone: no key is needed though the gateway listens on more than loopback.
        allowed_origins: of web pages from elsewhere that may use the gateway, as browsers write
            them: scheme://host[:port], "null" for a page that was opened as a file; "*" for all.
            None by default.
        allowed_hosts: names under which it may be asked for where no key is needed, beside
            loopback's, `host` and this machine's; "*" for any.
        max_upload_bytes: of a file, and of a recording on a websocket.
        max_sessions: websockets and transcriptions under way.
        max_sessions_per_client: the same of one client: an API key, or else an address.
        first_message_timeout_s: a websocket's first message has to arrive within.
        idle_timeout_s: a websocket on which nothing comes for so long is closed.
        hold_s: live sessions wait so long for a Triton that died; 0 ends them at once.
        send_timeout_s: so is one, or an HTTP connection, whose client does not read for so long.
        header_timeout_s: an HTTP request has to arrive within, without its body.
        upload_idle_timeout_s: longest pause within an upload.
        drain_s: on SIGTERM utterances and files may go on for so long before they are cut.
        shutdown_grace_s: how long the results of what was cut may take.
        log_text: whether logs hold recognised text.
    """

    triton_url: str = "grpc://127.0.0.1:8001"
    triton_timeout_s: float = 60.0
    host: str = "127.0.0.1"
    port: int = 10095
    certfile: Path | None = None
    keyfile: Path | None = None
    service: str = "2pass"
    offline_is_final: bool = True
    model: str = DEFAULT_RECOGNISER
    online_model: str = STREAMING_MODEL
    model_aliases: Mapping[str, str] = field(default_factory=dict)
    hotwords: str = ""
    speakers: SpeakerCount | None = None
    known_speakers: KnownSpeakers | None = None
    vad_options: Mapping[str, float] = field(default_factory=dict)
    step_ms: int = 200
    api_keys: tuple[str, ...] = ()
    allow_anyone: bool = False
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_upload_bytes: int = 1_000_000_000
    max_sessions: int = 512
    max_sessions_per_client: int = 128
    first_message_timeout_s: float = 10.0
    idle_timeout_s: float = 300.0
    hold_s: float = 120.0
    send_timeout_s: float = 60.0
    header_timeout_s: float = 15.0
    upload_idle_timeout_s: float = 30.0
    drain_s: float = 20.0
    shutdown_grace_s: float = 10.0
    log_text: bool = False

    def __post_init__(self) -> None:
        """Check what has to fit together.

        Raises:
            SettingsError: it does not.
        """
        checked_speakers("auto" if self.known_speakers else self.speakers)
        if (self.certfile is None) != (self.keyfile is None):
            raise SettingsError("--certfile, --keyfile: expected both or neither; got one of them")
        if self.certfile is not None and self.keyfile is not None:
            _check_certificate(self.certfile, self.keyfile)
        if not self.api_keys and not self.allow_anyone and not is_loopback(self.host):
            raise SettingsError(
                f"--host: {self.host} can be reached from other machines; expected an API key "
                f"({KEY_VARIABLE} or --api-key-file), or --no-api-key to let everybody in"
            )
        for name, model in self.model_aliases.items():
            if not name or name in MODELS or model not in MODELS:
                raise SettingsError(
                    f"--model-alias: expected another name, and one of {', '.join(MODELS)}; got "
                    f"{name!r}, {model!r}"
                )
        for origin in self.allowed_origins:
            if origin not in ("*", "null") and not _ORIGIN.fullmatch(origin):
                raise SettingsError(
                    "--allow-origin: expected *, null or scheme://host[:port], such as "
                    f"https://example.org; got {origin!r}"
                )
        if any(not key for key in self.api_keys):
            raise SettingsError("API key: expected text; got an empty one")
        try:
            parse_hotwords(self.hotwords)
        except ValueError as error:
            raise SettingsError(str(error)) from None


def _check_certificate(certificate: Path, key: Path) -> None:
    """Raise SettingsError unless the files are a certificate and its key."""
    for option, file in (("--certfile", certificate), ("--keyfile", key)):
        if not file.is_file():
            raise SettingsError(f"{option}: expected a PEM file; there is no file {str(file)!r}")
    try:
        if _ENCRYPTED not in key.read_bytes():  # for which uvicorn asks for a passphrase
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise SettingsError(
            f"--certfile, --keyfile: expected a certificate and its key in PEM; {certificate} and "
            f"{key} are not ({(error.reason or 'unreadable').replace('_', ' ').lower()})"
        ) from None
