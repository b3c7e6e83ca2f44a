# Triton with its C++ ONNX Runtime backend, what the Python models need beside it, and the gateway.
# Model repositories are mounted, not copied: see `triton-asr-server serve --docker`. What runs is
# `serve`: Triton behind its doors (docs/doors.md). The ports are reachable as they are published,
# so that inside no key is asked for unless TRITON_ASR_API_KEY is set.
# TRITON_RELEASE: 24.10, or 25.01 or newer; the models are configured for one of the two
# (triton-asr-server configure-gpu cuda --release).
ARG TRITON_RELEASE=26.09
FROM nvcr.io/nvidia/tritonserver:${TRITON_RELEASE}-py3

WORKDIR /opt/triton-asr
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY asr_contract asr_contract
COPY asr_core asr_core
COPY asr_server asr_server
COPY asr_triton asr_triton
COPY clients clients
RUN pip install --no-cache-dir --no-compile -c constraints.txt ".[models,gateway,speakers,traces]"

# Triton's own user. The root may be read-only: what is written is in /tmp and /dev/shm.
ENV HOME=/tmp
# Of ONNX Runtime: no attention that is planned anew for each length (docs/precisions.md).
ENV ORT_ENABLE_CUDNN_FLASH_ATTENTION=0
USER 1000:1000

EXPOSE 8000 8001 8002
CMD ["triton-asr-server", "serve", "--host=0.0.0.0", "--no-api-key", "--log=-", "--model-repository=/opt/triton-asr/model_repo_sensevoice", "--model-repository=/opt/triton-asr/model_repo_paraformer_offline", "--model-repository=/opt/triton-asr/model_repo_paraformer_online", "--model-repository=/opt/triton-asr/model_repo_auxiliary"]
