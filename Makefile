# Every target is a call of a package's command line. `make help` lists them.

NETWORK    ?= featherface_v2
CHECKPOINT ?= $(EMBEDDED)
MODEL      ?=
SPEC       ?=
CALIBRATION ?=
BUILD      ?= build
PYTHON     ?= python3

# A foreign network's name and size stand in its spec: MODEL=file.onnx SPEC=it.json, or
# CHECKPOINT=w.pth NETWORK=package.module:function SPEC=it.json.
ifneq ($(SPEC),)
DESCRIBED := $(shell $(PYTHON) -c 'import json, sys; s = json.load(open(sys.argv[1])); \
  print(s["network"], "{input_height}x{input_width}".format(**s))' "$(SPEC)")
ifeq ($(words $(DESCRIBED)),0)
$(error SPEC=$(SPEC) is no detector spec: see convert/README.md)
endif
endif
TITLE := $(or $(word 1,$(DESCRIBED)),$(NETWORK))
SIZE  ?= $(or $(word 2,$(DESCRIBED)),320)

EMBEDDED := model/weights/featherface_v2.pth
SHIPPED_RANGES := model/weights/featherface_v2_ranges.json
SEED ?= 0
CALIBRATION_IMAGES ?= 128

RUN  := .venv/bin/python -m
HW   := $(if $(findstring x,$(SIZE)),$(SIZE),$(SIZE)x$(SIZE))
NAME := $(TITLE)_$(HW)
WORK := $(BUILD)/$(NAME)
DEMO := $(BUILD)/demo

ONNX   := $(BUILD)/$(NAME).onnx
FLOAT  := $(BUILD)/$(NAME)_float32.tflite
MIXED := $(wildcard quantize/recipes/$(TITLE)_int8_fp16.json)
QUANTIZED := $(foreach precision,float16 int8 $(if $(MIXED),int8_fp16),$(BUILD)/$(NAME)_$(precision).tflite)

ONNX_QUANTIZED := $(foreach precision,int8 $(if $(MIXED),int8_fp16),$(BUILD)/$(NAME)_$(precision).onnx)

# The embedded checkpoint's ranges were measured on real photographs; any other needs images.
ifeq ($(CHECKPOINT)$(MODEL)$(CALIBRATION),$(EMBEDDED))
RANGES := $(SHIPPED_RANGES)
else
RANGES := $(WORK)/ranges.json
endif
# What is converted, and what quantized files are held against beside the float file.
SOURCE := $(if $(MODEL),--model "$(MODEL)",--checkpoint "$(CHECKPOINT)" --network "$(NETWORK)") \
  $(if $(SPEC),--spec "$(SPEC)") --size "$(SIZE)"
MADE_FROM := $(if $(SPEC),,--checkpoint "$(CHECKPOINT)")
IMAGES := $(or $(CALIBRATION),$(DEMO)/calibration/images)

# uv honours its own variables; pip's are handed on to it.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif
export UV_HTTP_TIMEOUT ?= 300
unexport VIRTUAL_ENV
# Byte code is kept with the environment whatever the shell says: else each process compiles PyTorch anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/byte_code
# Waiting threads sleep: spinning ones made a busy machine five times slower.
export OMP_WAIT_POLICY ?= PASSIVE

DATA ?= ../shared/data
# Named twice, a folder is shown twice as often.
TRAINING_SETS = $(wildcard $(addprefix $(DATA)/,fddb_train mask_train mask_train wider_train wider_unlabelled unlabelled_people scut_heads))
TEACHER ?= ../shared/peers/scrfd_2.5g.onnx
DEVICE ?= host
MODELS ?= $(wildcard $(BUILD)/*.tflite)

DEMO_SET = --set demo $(DEMO)/evaluation/images $(DEMO)/evaluation/label.txt
SETS ?= $(DEMO_SET)
REPORT_MODELS ?= $(wildcard $(BUILD)/*.tflite $(BUILD)/*.onnx)
COSTS = $(wildcard $(addprefix $(BUILD)/benchmark/,latency.json cost.json predictions.json))

# The code that a file is made by: a change makes it anew.
CONVERTER := $(shell find model/foundation model/geometry model/layers model/networks model/runtime convert -name '*.py')
QUANTIZER := $(shell find quantize -name '*.py' -not -path '*/qat/*' -not -path '*/inspect/*')

.DEFAULT_GOAL := help
PHOTOGRAPHS ?= $(addprefix $(DATA)/,fddb_train mask_train wider_unlabelled)
.PHONY: help setup lock doctor tflite onnx qat audit ranges report gate baseline train benchmark arm android android-test android-install test lint clean FORCE
FORCE:

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: .venv/installed  ## Make the environment .venv from the lock file

.venv/installed: requirements.lock
	@test -x .venv/bin/python || $(PYTHON) model/foundation/setup_check.py
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip --version >/dev/null 2>&1 && .venv/bin/python -m pip install -q --disable-pip-version-check uv || command -v uv >/dev/null
	PATH="$(CURDIR)/.venv/bin:$$PATH" uv pip install --python .venv/bin/python -r requirements.lock
	PATH="$(CURDIR)/.venv/bin:$$PATH" uv pip install --python .venv/bin/python --no-deps -e .
	@env -u PYTHONPYCACHEPREFIX .venv/bin/featherface doctor --help >/dev/null  # keeps its byte code: help at once
	@touch $@

lock:  ## Pin what pyproject.toml asks for into requirements.lock
	uv lock --upgrade
	(echo "# Made by 'make lock' from pyproject.toml; torch's CUDA packages are left to torch's own exact pins."; \
	  uv export --quiet --frozen --no-hashes --no-annotate --no-header | sed -E '/^(nvidia|cuda|triton)/d') > requirements.lock

doctor: .venv/installed  ## Say what of the tool chain is here, and how to get what is missing
	@$(RUN) benchmark doctor

tflite: $(ONNX) $(FLOAT) $(QUANTIZED)  ## Checkpoint -> ONNX and TFLite in four precisions (CHECKPOINT= NETWORK= | MODEL= SPEC=, SIZE= CALIBRATION=)
	@$(RUN) android_demo.script_build assets
	@$(RUN) benchmark summary $^ --output $(WORK)/summary.json

# Stamps change only when what they stand for changes, so that a second run has nothing to do.
$(WORK)/checkpoint.sha256: FORCE .venv/installed
	@$(RUN) convert $(SOURCE) --stamp $@

$(WORK)/calibration.json: FORCE .venv/installed $(if $(CALIBRATION),,$(DEMO)/label.stamp)
	@$(RUN) calibration_data select --images "$(IMAGES)" --count $(CALIBRATION_IMAGES) --seed $(SEED) --output $@

$(DEMO)/label.stamp: calibration_data/demo.py | .venv/installed
	@$(RUN) calibration_data demo --output $(DEMO)
	@touch $@

$(ONNX) $(FLOAT) &: $(WORK)/checkpoint.sha256 $(DEMO)/label.stamp $(CONVERTER)
	@$(RUN) convert $(SOURCE) --photographs $(DEMO)/evaluation/images --output $(BUILD)

$(WORK)/ranges.json: $(FLOAT) $(WORK)/calibration.json
	@$(RUN) quantize ranges --model $(FLOAT) $(MADE_FROM) --calibration $(WORK)/calibration.json --output $@

QUANTIZE = @$(RUN) quantize apply --model $(FLOAT) $(MADE_FROM) --recipe $< --output $@ \
  --photographs $(DEMO)/evaluation/images
STEPS := $(FLOAT) $(QUANTIZER)

$(BUILD)/$(NAME)_float16.tflite: quantize/recipes/float16.json $(STEPS)
	$(QUANTIZE)

$(BUILD)/$(NAME)_int8.tflite: quantize/recipes/int8.json $(RANGES) $(STEPS)
	$(QUANTIZE) --ranges $(RANGES)

$(BUILD)/$(NAME)_int8_fp16.tflite: quantize/recipes/$(TITLE)_int8_fp16.json $(RANGES) $(STEPS)
	$(QUANTIZE) --ranges $(RANGES)

onnx: $(ONNX_QUANTIZED)  ## The same recipes for ONNX Runtime, by NNCF (CALIBRATION=folder of photographs)

$(BUILD)/$(NAME)_int8.onnx: quantize/recipes/int8.json
$(BUILD)/$(NAME)_int8_fp16.onnx: quantize/recipes/$(TITLE)_int8_fp16.json
$(ONNX_QUANTIZED): $(ONNX) $(WORK)/calibration.json $(QUANTIZER)
	@$(RUN) quantize onnx --recipe $(filter quantize/recipes/%,$^) --model $(ONNX) $(MADE_FROM) \
	  --calibration $(WORK)/calibration.json --photographs $(DEMO)/evaluation/images --output $@

qat: $(DEMO)/label.stamp  ## Fine-tune the embedded checkpoint with fake quantization; goes on where it stopped (DATA=)
	@for size in 320 640; do $(MAKE) --no-print-directory SIZE=$$size CHECKPOINT=$(EMBEDDED) $(BUILD)/featherface_v2_$${size}x$${size}_float32.tflite || exit; done
	$(RUN) quantize qat --model $(BUILD)/featherface_v2_320x320_float32.tflite $(BUILD)/featherface_v2_640x640_float32.tflite \
	  --checkpoint $(EMBEDDED) --ranges $(SHIPPED_RANGES) --recipe quantize/recipes/int8.json --data $(TRAINING_SETS) \
	  --photographs $(DEMO)/evaluation/images --output $(BUILD)/qat $(QAT_FLAGS)

audit: tflite  ## Hold the integer files against what they promise: all int8, one XNNPACK part, honest records
	$(RUN) quantize audit $(BUILD)/$(NAME)_int8.tflite \
	  --require "int8_macs>=0.9,outputs>=3,islands<=0,xnnpack_macs>=0.99,builtin==1,signature==1,metadata==1,hashes==1"
	$(RUN) quantize audit $(BUILD)/$(NAME)_int8_fp16.tflite --require "int8_macs>=0.9,outputs>=3,islands<=2,builtin==1,hashes==1"

ranges:  ## Measure the embedded checkpoint's activation ranges anew (PHOTOGRAPHS="folder ...")
	@for size in 320 640; do $(MAKE) --no-print-directory SIZE=$$size CHECKPOINT=$(EMBEDDED) $(BUILD)/featherface_v2_$${size}x$${size}_float32.tflite || exit; done
	@n=0; for folder in $(PHOTOGRAPHS); do n=$$((n+1)); $(RUN) calibration_data select --images $$folder \
	  --count $(CALIBRATION_IMAGES) --seed $(SEED) --output $(BUILD)/ranges/$$n.json || exit; done
	@$(RUN) quantize ranges --model $(BUILD)/featherface_v2_320x320_float32.tflite $(BUILD)/featherface_v2_640x640_float32.tflite \
	  --checkpoint $(EMBEDDED) --calibration $(BUILD)/ranges/*.json --output $(SHIPPED_RANGES)

report: tflite  ## One page about all made files: build/report/report.html (SETS="--set NAME IMAGES LABELS")
	$(RUN) benchmark report --model $(REPORT_MODELS) $(SETS) --cost $(COSTS) --calibration $(SHIPPED_RANGES) --output $(BUILD)/report

GATED = $(RUN) benchmark report --model $(ONNX) $(FLOAT) $(QUANTIZED) $(DEMO_SET) --resamples 100 --output $(BUILD)/gate --quiet

gate: tflite  ## Hold the embedded model's files against benchmark/baseline.json
	$(GATED)
	$(RUN) benchmark gate --baseline benchmark/baseline.json --report $(BUILD)/gate/report.json \
	  --markdown $(BUILD)/gate/gate.md --junit $(BUILD)/gate/junit.xml

baseline: tflite  ## The present figures become the baseline (commit it and say why)
	$(GATED)
	$(RUN) benchmark gate --baseline benchmark/baseline.json --report $(BUILD)/gate/report.json --update

# A folder with RetinaFace's label.txt trains any network from its marks alone; else a teacher helps.
ifneq ($(wildcard $(DATA)/train/label.txt $(DATA)/label.txt),)
train: .venv/installed
	$(RUN) model train --data $(DATA) --network $(NETWORK) --output $(BUILD)/training_$(NETWORK) $(TRAIN_FLAGS)
else
train: $(BUILD)/answers.npz  ## Train NETWORK from marks and a teacher, or from DATA=widerface/'s marks; goes on where it stopped
	$(RUN) model train --data $(TRAINING_SETS) --network $(NETWORK) --answers $< \
	  $(if $(filter featherface_%,$(NETWORK)),--teacher $(TEACHER)) \
	  --output $(BUILD)/training_$(NETWORK) $(TRAIN_FLAGS)

$(BUILD)/answers.npz: | .venv/installed
	$(RUN) model teach --data $(TRAINING_SETS) --teacher $(TEACHER) --output $@
endif

benchmark: .venv/installed  ## Time MODELS on DEVICE=host|arm64|armhf|adb[:SERIAL]|app[:SERIAL] (emulated: instructions)
	$(RUN) benchmark latency --device $(DEVICE) --model $(MODELS) --resume $(BENCHMARK_FLAGS)

arm: .venv/installed  ## Prepare the emulated ARM machines (once, about 150 MB, no root)
	$(RUN) benchmark arm

android: tflite  ## Build, sign and verify the demo app: build/android/featherface-demo.apk
	$(RUN) android_demo.script_build build

android-test: .venv/installed  ## Test the app on the JVM
	$(RUN) android_demo.script_build test

android-install: .venv/installed  ## Install the app on the phone over adb and start it (SERIAL=)
	$(RUN) android_demo.script_build install $(if $(SERIAL),--serial $(SERIAL))

test: .venv/installed  ## Run all tests
	$(RUN) pytest -n 2 --dist loadfile

lint: .venv/installed  ## ruff, mypy --strict, import direction
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	.venv/bin/lint-imports

clean:  ## Remove what was made (not the environment)
	rm -rf $(BUILD)
