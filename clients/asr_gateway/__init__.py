"""A gateway in front of Triton: FunASR's websocket protocol, OpenAI's HTTP API, and a web page.

    triton-asr-gateway --triton grpc://127.0.0.1:8001 --port 10095

It holds no model: audio goes to the server's models through `asr_client`, text comes back. Its
rooms, lowest first:

    shared/    what every session needs: settings, the way to Triton, keys, limits, logs, metrics
    funasr/    the websocket: messages and their fields, utterances live and recorded
    openai/    the HTTP API: forms, uploads, answers, its description
    service/   what runs them: routes, the page, health, the server, the command line
    static/    the web page

`asr_gateway.service` and `asr_gateway.shared` have what a program needs to run a gateway of its
own. This package by itself needs nothing that `triton-asr[gateway]` installs.
"""
