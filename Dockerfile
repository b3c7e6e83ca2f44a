# Triton with its C++ ONNX Runtime backend, what the Python models need beside it, and the gateway.
# Model repositories are mounted, not copied: see `triton-asr-server serve --docker`.
# TRITON_RELEASE: 24.10, or 25.01 or newer; the models are configured for one of the two
# (triton-asr-server configure-gpu cuda --release).
ARG TRITON_RELEASE=26.09
FROM nvcr.io/nvidia/tritonserver:${TRITON_RELEASE}-py3

WORKDIR /opt/triton-asr
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY asr_contract asr_contract
COPY asr_core asr_core
COPY asr_triton asr_triton
COPY clients clients
RUN pip install --no-cache-dir --no-compile -c constraints.txt ".[models,gateway]"

# Triton's own user. The root may be read-only: what is written is in /tmp and /dev/shm.
ENV HOME=/tmp
USER 1000:1000

EXPOSE 8000 8001 8002
CMD ["tritonserver", "--grpc-infer-allocation-pool-size=4096", "--model-repository=/opt/triton-asr/model_repo_sensevoice", "--model-repository=/opt/triton-asr/model_repo_paraformer_offline", "--model-repository=/opt/triton-asr/model_repo_paraformer_online", "--model-repository=/opt/triton-asr/model_repo_auxiliary"]
