"""A gateway in front of Triton: FunASR's websocket protocol, OpenAI's HTTP API, and a web page.

    triton-asr-gateway --triton grpc://127.0.0.1:8001 --port 10095

It holds no model: audio goes to the server's models through `asr_client`, text comes back.
`server` puts the parts together: `websocket` carries the messages of `protocol` for a
`connection`, which makes `live` or `recorded` utterances of them; `transcriptions` answers HTTP.
"""
