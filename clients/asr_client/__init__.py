"""Client SDK for speech recognition on a Triton Inference Server.

    from asr_client import Client

    with Client("grpc://127.0.0.1:8001") as client:
        print(client.transcribe("speech.wav", language="zh").text)
        print(client.transcribe_file("talk.mp4").text)  # of any length
        with client.stream() as session:  # live audio; the text grows in session.text
            session.send(samples)
            print(session.finish().text)

`AsyncClient` has the same methods to be awaited. `errors` lists what can go wrong.
"""

TYPE_CHECKING = False  # as checkers read it; `typing` is not needed to start

if TYPE_CHECKING:
    from .exports import *  # noqa: F403
    from .exports import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Import what is asked for: all of it takes a second, in which the command line starts."""
        from importlib import import_module, util

        if util.find_spec(f"{__name__}.{name}"):
            return import_module(f"{__name__}.{name}")
        value = globals()[name] = getattr(import_module(f"{__name__}.exports"), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
