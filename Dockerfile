# Triton with its C++ ONNX Runtime backend, what the Python models need beside it, and the gateway.
# Model repositories are mounted, not copied: see `triton-asr-server serve --docker`.
FROM nvcr.io/nvidia/tritonserver:24.10-py3

WORKDIR /opt/triton-asr
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY asr_contract asr_contract
COPY asr_core asr_core
COPY asr_triton asr_triton
COPY clients clients
RUN pip install --no-cache-dir -c constraints.txt ".[models,gateway]"

EXPOSE 8000 8001 8002
CMD ["tritonserver", "--grpc-infer-allocation-pool-size=4096", "--model-repository=/opt/triton-asr/model_repo_sensevoice", "--model-repository=/opt/triton-asr/model_repo_paraformer_offline", "--model-repository=/opt/triton-asr/model_repo_paraformer_online", "--model-repository=/opt/triton-asr/model_repo_auxiliary"]
