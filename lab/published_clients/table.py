"""docs/clients.md: which published clients were run, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .cases import Case

_HEAD = """# Clients that were run

Unmodified, as published, against this project at commit {commit} with the embedded models. This
page is written by a command, which installs the packages at these versions, runs each and compares
what it prints with the text of the models themselves:

```sh
.venv/bin/python -m lab.published_clients --funasr ~/FunASR --triton-asr-client ~/Triton-ASR-Client
```

FunASR at commit {funasr}, Triton-ASR-Client at {triton_asr_client}. "all of the text" means
every character, the last sentence or words included.

| client | what was run | what came |
|---|---|---|
"""

_TAIL = """
FunASR's HTML5 client runs in Chromium by `tests/gateway/test_funasr_html5.py` (`make soak`). Not
run by this command: its C++, Java, Go and C# clients, which need toolchains of their own (C++: ONNX
Runtime and FFmpeg's headers); they were run by hand at commit 3ccf654, and worked.

FunASR's `POST /asr` and its fields `sentence_info` and `punc_array` are not offered: no published
client was found that reads them (`funasr_wss_client.py` passes the two fields on where a server has
them). What `/asr` gives, `POST /v1/audio/transcriptions` with `verbose_json` gives, too.

`icefall`, by which `decode_manifest_triton_wo_cuts.py` writes its report, needs k2; two functions
stand in for it. In a stream this client keeps the last piece's text only, here as with FunASR's own
models.
"""


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        problem: what went wrong; "" for nothing.
        output: what the client printed, for the log.
    """

    case: Case
    problem: str
    output: str
    elapsed_s: float

    @property
    def came(self) -> str:
        """What came, for the table."""
        if self.problem:
            return f"**{self.problem}**"
        said = ["all of the text"] if self.case.expects else ["it ran to its end"]
        return ", ".join([*said, *(f"`{each}`" for each in self.case.also)])


def page(outcomes: Sequence[Outcome], commits: dict[str, str]) -> str:
    """Return the page."""
    rows = "".join(
        f"| {outcome.case.client} | {outcome.case.what} | {outcome.came} |\n"
        for outcome in outcomes
    )
    return _HEAD.format(**commits) + rows + _TAIL
