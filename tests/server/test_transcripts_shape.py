"""`TRANSCRIPTS` as FunASR's Triton models answer it, (rows,), whichever way it is asked for.

Its clients (runtime/triton_gpu/client) index and join the elements as they come; the other outputs
keep their own dimension behind the rows.
"""

from __future__ import annotations

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from asr_contract import RECOGNISERS, STREAMING_MODEL
from tests.recordings import cut
from tests.serving import request_inputs, wav_inputs


def ask(server, transport: str, model: str, inputs: dict[str, np.ndarray], **sequence):
    """One request over a transport; the result object of `tritonclient`."""
    triton = {"grpc": tritonclient.grpc, "http": tritonclient.http}[transport]
    url = {"grpc": server.grpc_url, "http": server.http_url}[transport].partition("://")[2]
    tensors = []
    for name, array in inputs.items():
        datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
        tensors.append(triton.InferInput(name, list(array.shape), datatype))
        tensors[-1].set_data_from_numpy(array)
    with triton.InferenceServerClient(url) as client:
        return client.infer(model, tensors, **sequence)


@pytest.mark.parametrize("transport", ["grpc", "http"])
@pytest.mark.parametrize("kind", list(RECOGNISERS))
@pytest.mark.parametrize("rows", [1, 3])
def test_a_row_of_a_recording_is_an_element(triton_server, transport, kind, rows):
    recordings = [cut(2.0 + row, 3.0) for row in range(rows)]
    result = ask(triton_server, transport, RECOGNISERS[kind], request_inputs(kind, recordings))
    texts = result.as_numpy("TRANSCRIPTS")
    assert texts.shape == (rows,)
    alone = [triton_server.client.recognise(kind, [each])[0].transcript for each in recordings]
    assert [text.decode("utf-8") for text in texts] == alone
    assert b" ".join(texts).decode("utf-8") == " ".join(alone)  # Triton-ASR-Client
    assert result.as_numpy("TOKENS").shape[0] == rows
    if kind == "sensevoice":
        assert result.as_numpy("TEXT").shape == (rows, 1)


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_a_request_of_a_stream_has_one_element(triton_server, transport):
    speech, texts = cut(2.0, 4.0), []
    for index, chunk in enumerate(np.array_split(speech, 6)):
        result = ask(
            triton_server,
            transport,
            STREAMING_MODEL,
            wav_inputs([chunk]),
            sequence_id=77,
            sequence_start=index == 0,
            sequence_end=index == 5,
        )
        assert result.as_numpy("TRANSCRIPTS").shape == (1,)
        assert result.as_numpy("TEXT").shape == (1, 1)
        texts.append(b" ".join(result.as_numpy("TRANSCRIPTS")).decode("utf-8"))
    assert "".join(texts) == result.as_numpy("TEXT").item().decode("utf-8")
