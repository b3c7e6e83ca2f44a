"""What is open to clients in front of Triton: bounded, so that no request ends the server.

Triton's own front ends listen on Unix sockets that only this user can reach. What a client may
say passes one of the doors here, each a process of its own (`python -m asr_server.doors`):

    tensors     shape, type and size of a tensor fit together
    access      which hosts, pages and keys are let in
    body        bodies of HTTP requests: bounded in size, number and time
    infer_body  a KServe inference request, read and written anew
    http_door   KServe v2 over HTTP, and the metrics
    silent      connections of HTTP on which nothing is asked
    grpc_door   KServe v2 over gRPC
    grpc_relay  what stands before it: connections, and messages on their way, are bounded
    http2_messages  how much of a message has come
    shares      how many calls one client may have

A request that Triton release 24.10 dies of, and the check that refuses it: `docs/doors.md`.
"""
