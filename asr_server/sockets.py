"""Where Triton's own front ends listen when they are not open: Unix sockets in a private folder.

    <temporary folder>/triton-asr-<user id>/<HTTP port>/{http,grpc:0,metrics,grpc-door}

The folder is named by the port of the door, so that commands find a server that runs here. Only
its owner can enter it: that is what keeps Triton's own front ends, and its control of models, from
others, and no key is needed that would show among the processes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

HTTP_SOCKET = "http"
GRPC_SOCKET = "grpc:0"  # Triton puts the port behind an address, whatever it is
METRICS_SOCKET = "metrics"
GRPC_DOOR_SOCKET = "grpc-door"  # of our own gRPC server, behind what bounds its connections
HTTP_LEFT = "http-left"  # a file: what the door of HTTP waited for has finished
KEY_FILE = "control-key"  # of a server whose own ports are open

_FILES = (HTTP_SOCKET, GRPC_SOCKET, METRICS_SOCKET, GRPC_DOOR_SOCKET, HTTP_LEFT, KEY_FILE)

_MAX_PATH = 107  # bytes of a Unix socket's name (man 7 unix)


class SocketFolderError(RuntimeError):
    """There is no private folder for sockets; the message says why."""


def socket_folder(http_port: int) -> Path:
    """Return the folder of the server whose HTTP door is at a port; it need not exist."""
    name = f"triton-asr-{os.getuid()}/{http_port}"
    folder = Path(tempfile.gettempdir()).resolve() / name
    too_long = len(os.fsencode(folder / GRPC_DOOR_SOCKET)) > _MAX_PATH
    return Path("/tmp") / name if too_long else folder


@contextlib.contextmanager
def sole_socket_folder(http_port: int) -> Iterator[Path]:
    """Give the folder, made if need be, without sockets of a server that has ended.

    It is removed behind the block. Servers at the same port of different addresses would share
    it, and the second take the sockets of the first.

    Raises:
        SocketFolderError: it cannot be made, somebody else's is in its place, or a server that
            runs has it.
    """
    folder = socket_folder(http_port)
    _make(folder.parent)
    with _held(Path(f"{folder}.lock")) as is_held:
        if not is_held:
            raise SocketFolderError(
                f"a server with HTTP port {http_port} runs here already, at another address; "
                "--http-port names another, or TMPDIR another folder for its sockets"
            )
        _make(folder)
        try:
            yield folder
        finally:
            _remove(folder)


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Hold a lock, whose file is removed behind the block; False if another process has it."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        with contextlib.suppress(FileNotFoundError):  # who had it has just removed it
            if os.path.samestat(os.fstat(descriptor), os.stat(lock)):
                break
        os.close(descriptor)
    try:
        yield True
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _make(folder: Path) -> None:
    """Make a private folder, or take one that is there, without sockets in it.

    Raises:
        SocketFolderError: it cannot be made, or somebody else's is in its place.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise SocketFolderError(f"{folder}: expected a folder of your own")
        folder.chmod(0o700)
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise SocketFolderError(
            f"{folder}: {error.strerror}; TMPDIR names another folder for sockets"
        ) from error


def _remove(folder: Path) -> None:
    """Remove the folder of a server that has ended."""
    for name in _FILES:
        (folder / name).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return  # somebody else's file is in it


@contextlib.contextmanager
def models_held(folder: Path, *, wait: bool = True) -> Iterator[bool]:
    """Let nobody else of this user load or unload a server's models meanwhile.

    While a model is loaded anew its process is gone though the model is ready; whoever watches
    the processes must not look then.

    Args:
        folder: of the server.
        wait: until others have done what they do.

    Yields:
        whether they are held; always, if it waits.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)
