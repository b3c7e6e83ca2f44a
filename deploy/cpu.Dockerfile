# Everything from PyPI, for the processor: Triton, the gateway, and what installs models. In a cluster
# this image runs the gateways, the init containers that install models, and Tritons without a GPU;
# a Triton with one runs in the image of the Dockerfile one folder up.
#   docker build -f deploy/cpu.Dockerfile -t triton-asr-cpu .
FROM python:3.12-slim-bookworm

WORKDIR /opt/triton-asr
COPY pyproject.toml constraints.txt README.md CHANGELOG.md LICENSE NOTICE ./
COPY asr_contract asr_contract
COPY asr_core asr_core
COPY asr_server asr_server
COPY asr_triton asr_triton
COPY backends backends
COPY clients clients
COPY embedded_models embedded_models
COPY model_repo_auxiliary model_repo_auxiliary
COPY model_repo_paraformer_offline model_repo_paraformer_offline
COPY model_repo_paraformer_online model_repo_paraformer_online
COPY model_repo_sensevoice model_repo_sensevoice
RUN pip install --no-cache-dir --no-compile -c constraints.txt ".[server,gateway,hub,lm,speakers,traces,verify]"

# The root may be read-only: what is written is in /tmp, /dev/shm and the home of the models.
ENV HOME=/tmp TRITON_ASR_HOME=/models
USER 1000:1000

EXPOSE 8000 8001 8002 10095
CMD ["triton-asr-server", "serve", "--host=0.0.0.0", "--no-api-key", "--log=-", "--gateway"]
