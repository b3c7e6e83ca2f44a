"""Triton-ASR-Client's streaming code; its command line offers no model of that name to choose."""

import asyncio
import sys

checkout, url, file = sys.argv[1:]
sys.path.insert(0, checkout)
import client  # noqa: E402
import tritonclient.grpc.aio as grpcclient  # noqa: E402


async def main() -> None:
    triton = grpcclient.InferenceServerClient(url=url)
    duration, results, latencies = await client.send_streaming(
        dps=[{"audio_filepath": file, "text": "", "id": 0}],
        name="task-0",
        triton_client=triton,
        protocol_client=grpcclient,
        log_interval=1,
        compute_cer=True,
        model_name="streaming_paraformer",
        first_chunk_in_secs=0.6,
        other_chunk_in_secs=0.6,
        task_index=0,
    )
    print(f"{duration:.1f} s, {len(latencies)} requests; the last piece: {''.join(results[0][2])}")
    await triton.close()


asyncio.run(main())
