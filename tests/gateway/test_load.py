"""Sessions at the speed of speech, a short form of `tests/soak/test_gateway.py`."""

from __future__ import annotations

import asyncio

from tests.gateway.gateways import wait_for_no_session
from tests.gateway.load import Load, run_load
from tests.gateway.realtime_load import run_realtime_load
from tests.streams import wait_for_open_sessions


def test_sessions_at_the_speed_of_speech_all_get_their_sentences(gateway, triton):
    async def both() -> tuple[Load, Load]:
        return await asyncio.gather(
            run_load(gateway, clients=12, duration_s=1),
            run_realtime_load(gateway, clients=4, duration_s=1),
        )

    load, realtime = asyncio.run(both())
    assert load.errors == []
    assert load.sentences == 12 * 3
    assert len(load.partial_s) >= 12
    assert realtime.errors == []
    assert realtime.sentences >= 4 * 3 and realtime.partials
    wait_for_no_session(gateway)
    for model in ("vad", "streaming_cif_search"):
        wait_for_open_sessions(triton, 0, model=model)
