"""Serves and installs the models: everything around a `tritonserver` that is not a client.

Lowest first, an import only points down:

    places, errors, extras, file_hashes, recordings, gpus, onnxruntime_package
    models      which there are, under which names, and in which repositories
    graphs      exported ONNX to what is served
    export      checkpoints to ONNX, by FunASR
    install     a model into a repository           run       a `tritonserver`, watched
    commands    what `triton-asr-server` can do, one file each
"""
