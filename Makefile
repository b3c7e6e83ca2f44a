# make demo    environment, embedded models, server, transcripts of the samples, server stopped
# make serve   the server, until Ctrl-C
# make install-model MODEL=sensevoice FROM=iic/SenseVoiceSmall    a real model
# make test    environment and the whole suite
# make soak    full-size models and long runs (needs the export extra: make export-env)

PYTHON ?= python3
HTTP_PORT ?= 8000
GRPC_PORT ?= 8001
METRICS_PORT ?= 8002
SERVE_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable
# Without bytecode: of the packages' thousands of modules few are imported, which write their own.
INSTALL := $(BIN)/pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
# Also where the caller's shell forbids it, as in many containers: else each process compiles all anew.
unexport PYTHONDONTWRITEBYTECODE
# One of onnxruntime and onnxruntime-gpu, the one for this machine, whatever an installation brought.
SETTLE := $(BIN)/python -m scripts.settle_onnxruntime

.PHONY: demo serve models install-model test lint soak export-env clean

demo: $(VENV)/server
	$(BIN)/python -m scripts.demo

serve: $(VENV)/server
	$(BIN)/python -m scripts.serve --http-port $(HTTP_PORT) --grpc-port $(GRPC_PORT) \
	    --metrics-port $(METRICS_PORT) $(SERVE_FLAGS)

models: $(VENV)/server
	for model in sensevoice paraformer paraformer-online vad punctuation punctuation-online speaker; do \
	    $(BIN)/python -m scripts.install_model $$model || exit 1; done

install-model: $(VENV)/install
	$(BIN)/python -m scripts.install_model $(MODEL) $(if $(FROM),--from $(FROM)) $(INSTALL_FLAGS)

test: lint
	$(BIN)/python -m pytest -m "not soak" --numprocesses 2 --dist loadfile --timeout 600

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for model in model_repo_*/*/1/model.py; do $(BIN)/mypy $$model || exit 1; done
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_glue.py
	cd backends/onnxruntime && $(CURDIR)/$(BIN)/mypy --strict --ignore-missing-imports *.py

soak: $(VENV)/test export-env
	$(BIN)/python -m pytest -m soak

# Exporting and training: torch in the CPU build of PyPI's default index, and FunASR.
export-env: $(VENV)/export

# $(PYTHON), or another where that one is too new for the server.
$(VENV)/bin/python:
	python=$$(python3 scripts/find_python.py $(PYTHON)) && \
	    $$python scripts/check_system.py $(CHECK_FLAGS) && $$python -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/server: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e ".[server,gateway,speakers]"
	$(SETTLE)
	touch $@

$(VENV)/install: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) -e ".[server,hub,verify]"
	$(SETTLE)
	touch $@

$(VENV)/test: CHECK_FLAGS = --install
$(VENV)/test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python scripts/check_system.py --install --tests
	$(INSTALL) -e ".[test]"
	$(SETTLE)
	$(foreach name,$(BROWSERS),command -v $(name) ||) $(BIN)/playwright install chromium
	touch $@

$(VENV)/export: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) torch==2.13.0
	$(INSTALL) -e ".[train]"
	$(SETTLE)
	touch $@

clean:
	rm -rf $(VENV) .cache build *.egg-info
