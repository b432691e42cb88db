# Every target is a call of a package's command line. `make help` lists them.

NETWORK    ?= featherface_v2
CHECKPOINT ?= $(EMBEDDED)
MODEL      ?=
SPEC       ?=
DECODE     ?=
CALIBRATION ?=
RECIPE     ?=
BUILD      ?= build
PYTHON     ?= python3
TRAIN_FLAGS ?=
QAT_FLAGS  ?=
BENCHMARK_FLAGS ?=
SERIAL     ?=
KEY        ?=

# What may be set is what stands here with ?=; a slip of the pen would else be ignored in silence.
SETTINGS := $(shell sed -nE 's/^(export )?([A-Z_]+) *\?=.*/\2/p' $(firstword $(MAKEFILE_LIST)))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
STRANGE := $(filter-out $(SETTINGS) SHELL CI UV_% PIP_% OMP_% FEATHERFACE_%,$(GIVEN))
ifneq ($(STRANGE),)
$(error $(shell $(PYTHON) -c 'import difflib, sys; name, *known = sys.argv[1:]; \
  print(f"there is no setting {name}: did you mean", *difflib.get_close_matches(name, known, 1, 0), end="?")' \
  $(firstword $(STRANGE)) $(SETTINGS)))
endif

# Targets are separated by spaces, and `make clean` removes what this names.
ifneq ($(words $(BUILD)),1)
$(error BUILD=$(BUILD): expected one folder, without spaces in its path)
endif

# A foreign network's name and size stand in its spec: MODEL=file.onnx SPEC=it.json, MODEL=file.tflite
# SPEC=it.json, or CHECKPOINT=w.pth NETWORK=package.module:function SPEC=it.json.
ifneq ($(SPEC),)
DESCRIBED := $(shell $(PYTHON) -c 'import json, re, sys; s = json.load(open(sys.argv[1])); \
  print(re.fullmatch(r"[\w.-]+", s["network"], re.ASCII)[0], "{input_height:d}x{input_width:d}".format(**s))' "$(SPEC)" 2>&-)
ifeq ($(words $(DESCRIBED)),0)
$(error SPEC=$(SPEC) is no detector spec: see convert/README.md)
endif
endif
TITLE := $(or $(word 1,$(DESCRIBED)),$(NETWORK))
SIZE  ?= $(or $(word 2,$(DESCRIBED)),320)

# A network whose weights ship comes with them and their ranges; any other needs CHECKPOINT.
EMBEDDED := $(or $(wildcard model/weights/$(NETWORK).pth),model/weights/featherface_v2.pth)
OURS := $(basename $(notdir $(EMBEDDED)))
SHIPPED_RANGES := $(EMBEDDED:.pth=_ranges.json)
SEED ?= 0
CALIBRATION_IMAGES ?= 128

RUN  := .venv/bin/python -m
HW   := $(if $(findstring x,$(SIZE)),$(SIZE),$(SIZE)x$(SIZE))
# What files are called: two checkpoints of one network need two names.
NAME ?= $(TITLE)
ifeq ($(origin NAME),environment)  # there it is the computer's, on some systems
NAME := $(TITLE)
endif
WORK := $(BUILD)/$(NAME)_$(HW)
DEMO := $(BUILD)/demo
NOTED := $(WORK)/made_from.sha256

# A TFLite file keeps its graph: no ONNX file is made of it.
ONNX   := $(if $(filter %.tflite,$(MODEL)),,$(WORK).onnx)
FLOAT  := $(WORK)_float32.tflite
# A file is called by its recipe's precision: the shipped ones, and RECIPE=, one from `search` or one's own.
RECIPES := $(wildcard $(addprefix quantize/recipes/,float16.json dynamic.json int8.json $(TITLE)_int8_fp16.json))
SHIPPED := $(patsubst $(TITLE)_%,%,$(basename $(notdir $(RECIPES))))
ifneq ($(RECIPE),)
OWN := $(shell $(PYTHON) -c 'import json, re, sys; \
  print(re.fullmatch("[a-z0-9_]+", json.load(open(sys.argv[1]))["name"])[0])' "$(RECIPE)" 2>&- || echo "?")
ifeq ($(OWN),?)
$(error RECIPE=$(RECIPE) is no recipe with a "name": see quantize/README.md)
endif
ifneq ($(filter $(OWN),float32 $(SHIPPED)),)
$(error RECIPE=$(RECIPE) has the "name" $(OWN) of a file that is made anyway: give it another)
endif
endif
QUANTIZED := $(foreach precision,$(SHIPPED) $(OWN),$(WORK)_$(precision).tflite)
ONNX_QUANTIZED := $(if $(ONNX),$(foreach precision,$(filter-out float16 dynamic,$(SHIPPED) $(OWN)),$(WORK)_$(precision).onnx))

# The embedded checkpoint's ranges were measured on real photographs; any other needs images, which also say
# above which score its quantized files show faces.
ifeq ($(CHECKPOINT)$(MODEL)$(CALIBRATION),$(EMBEDDED))
RANGES := $(SHIPPED_RANGES)
else
RANGES := $(WORK)/ranges.json
SCORED := $(WORK)/calibration.json
endif
# What is converted, and what quantized files are held against beside the float file.
SOURCE := $(if $(MODEL),--model "$(MODEL)",--checkpoint "$(CHECKPOINT)" --network "$(NETWORK)") \
  $(if $(SPEC),--spec "$(SPEC)") --size "$(SIZE)" --called "$(NAME)"
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
# A detector that its author's own function reads: DECODE=package.module:function.
ifneq ($(DECODE),)
export FEATHERFACE_DECODE := $(DECODE)
endif
unexport VIRTUAL_ENV
# Byte code is kept with the environment whatever the shell says: else each process compiles PyTorch anew.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/byte_code
# Waiting threads sleep: spinning ones made a busy machine five times slower.
export OMP_WAIT_POLICY ?= PASSIVE

DATA ?= ../shared/data
# Named twice, a folder is shown twice as often.
TRAINING_SETS = $(wildcard $(addprefix $(DATA)/,fddb_train fddb_train mask_train mask_train mask_train wider_train wider_train wider_train wider_train wider_unlabelled unlabelled_people scut_heads))
TEACHER ?= ../shared/peers/scrfd_2.5g.onnx
DEVICE ?= host
# Named ones; else what is asked for by other settings; else all that were built; else what would be.
ASKED := $(filter CHECKPOINT NETWORK MODEL SPEC NAME SIZE RECIPE CALIBRATION,$(GIVEN))
BUILT := $(if $(ASKED),,$(wildcard $(BUILD)/*.tflite))
MODELS ?= $(or $(BUILT),$(FLOAT) $(QUANTIZED))
READY := .venv/installed $(if $(filter MODELS,$(GIVEN))$(BUILT),,tflite)

DEMO_SET = --set demo $(DEMO)/evaluation/images $(DEMO)/evaluation/label.txt
SETS ?= $(DEMO_SET)
REPORT_MODELS ?= $(wildcard $(BUILD)/*.tflite $(BUILD)/*.onnx)
COSTS = $(wildcard $(addprefix $(BUILD)/,benchmark/latency.json benchmark/predictions.json */summary.json))

# The code that a file is made by: a change makes it anew.
CONVERTER := $(shell find model/foundation model/geometry model/layers model/networks model/runtime convert -name '*.py')
QUANTIZER := $(shell find quantize -name '*.py' -not -path '*/qat/*' -not -path '*/inspect/*')

.DEFAULT_GOAL := help
PHOTOGRAPHS ?= $(addprefix $(DATA)/,fddb_train mask_train wider_unlabelled)
.PHONY: help setup lock doctor tflite onnx qat audit ranges report gate baseline train benchmark compare arm sign android android-test android-install test lint clean FORCE
FORCE:

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: .venv/installed  ## Make the environment .venv from the lock file

.venv/installed: requirements.lock requirements.sha256
	@test -x .venv/bin/python || $(PYTHON) model/foundation/setup_check.py
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python -m pip --version >/dev/null 2>&1 && .venv/bin/python -m pip install -q --disable-pip-version-check uv || command -v uv >/dev/null
	PATH="$(CURDIR)/.venv/bin:$$PATH" uv pip install --python .venv/bin/python --verify-hashes -r requirements.sha256
	PATH="$(CURDIR)/.venv/bin:$$PATH" uv pip install --python .venv/bin/python --no-deps -e .
	@env -u PYTHONPYCACHEPREFIX .venv/bin/featherface doctor --help >/dev/null  # keeps its byte code: help at once
	@touch $@

# Hashes stand in a file of their own, for pip takes no folder with constraints that carry them. torch's CPU and CUDA builds differ: either is taken.
lock:  ## Pin what pyproject.toml asks for into requirements.lock
	uv lock --upgrade
	(echo "# Made by 'make lock' from pyproject.toml; torch's CUDA packages are left to torch's own exact pins."; \
	  uv export --quiet --frozen --all-extras --no-hashes --no-annotate --no-header | sed -E '/^(nvidia|cuda|triton)/d') > requirements.lock
	grep -v '^torch==' requirements.lock | uv pip compile -q --universal --no-deps --generate-hashes --no-annotate --no-header \
	  --python-version 3.11 -o requirements.sha256 -
	grep '^torch==' requirements.lock >> requirements.sha256

doctor: .venv/installed  ## Say what of the tool chain is here, and how to get what is missing
	@$(RUN) benchmark doctor

tflite: $(ONNX) $(FLOAT) $(QUANTIZED)  ## Checkpoint -> ONNX and TFLite in five precisions (CHECKPOINT= NETWORK= | MODEL= SPEC=; SIZE= NAME= RECIPE= CALIBRATION=)
	@$(RUN) android_demo.script_build assets $(filter %.tflite,$^)
	@$(RUN) benchmark summary $^ --output $(WORK)/summary.json

# Stamps change only when what they stand for changes, so that a second run has nothing to do.
$(NOTED): FORCE .venv/installed
	@$(RUN) quantize check $(SOURCE) $(if $(CALIBRATION),--images "$(CALIBRATION)") \
	  --recipe $(RECIPES) $(if $(RECIPE),"$(RECIPE)") --stamp $@

$(WORK)/calibration.json: FORCE .venv/installed $(if $(CALIBRATION),,$(DEMO)/label.stamp) | $(NOTED)
	@$(RUN) calibration_data select --images "$(IMAGES)" --count $(CALIBRATION_IMAGES) --seed $(SEED) --output $@

$(DEMO)/label.stamp: calibration_data/demo.py | .venv/installed
	@$(RUN) calibration_data demo --output $(DEMO)
	@touch $@

# Photographs are chosen, and looked at, before minutes of conversion.
$(ONNX) $(FLOAT) &: $(NOTED) $(DEMO)/label.stamp $(CONVERTER) | $(if $(filter $(WORK)/%,$(RANGES)),$(WORK)/calibration.json)
	@$(RUN) convert $(SOURCE) --photographs $(DEMO)/evaluation/images --output $(BUILD)

$(WORK)/ranges.json: $(FLOAT) $(WORK)/calibration.json
	@$(RUN) quantize ranges --model $(FLOAT) $(MADE_FROM) --calibration $(WORK)/calibration.json --output $@

QUANTIZE = @$(RUN) quantize apply --model $(FLOAT) $(MADE_FROM) --recipe $< --output $@ \
  --photographs $(DEMO)/evaluation/images $(if $(SCORED),--calibration $(SCORED))
STEPS := $(FLOAT) $(SCORED) $(QUANTIZER)

$(WORK)_float16.tflite: quantize/recipes/float16.json $(STEPS)
	$(QUANTIZE)

$(WORK)_dynamic.tflite: quantize/recipes/dynamic.json $(STEPS)
	$(QUANTIZE)

$(WORK)_int8.tflite: quantize/recipes/int8.json $(RANGES) $(STEPS)
	$(QUANTIZE) --ranges $(RANGES)

$(WORK)_int8_fp16.tflite: quantize/recipes/$(TITLE)_int8_fp16.json $(RANGES) $(STEPS)
	$(QUANTIZE) --ranges $(RANGES)

# A copy that changes when the recipe does: another one of the same name may be older.
OWN_RECIPE := $(if $(OWN),$(WORK)/recipe_$(OWN).json)
$(OWN_RECIPE): FORCE $(NOTED)
	@cmp -s "$(RECIPE)" $@ || cp "$(RECIPE)" $@

$(if $(OWN),$(WORK)_$(OWN).tflite): $(OWN_RECIPE) $(RANGES) $(STEPS)
	$(QUANTIZE) --ranges $(RANGES)

onnx: $(ONNX) $(ONNX_QUANTIZED)  ## The same recipes for ONNX Runtime, by NNCF (CALIBRATION=folder of photographs)
	$(if $(ONNX),,$(error MODEL=$(MODEL) is a TFLite file: no ONNX file is made of it))
	@$(RUN) benchmark summary $^ --output $(WORK)/summary.json

$(WORK)_int8.onnx: quantize/recipes/int8.json
$(WORK)_int8_fp16.onnx: quantize/recipes/$(TITLE)_int8_fp16.json
$(if $(OWN),$(WORK)_$(OWN).onnx): $(OWN_RECIPE)
$(ONNX_QUANTIZED): $(ONNX) $(WORK)/calibration.json $(QUANTIZER)
	@$(RUN) quantize onnx --recipe $(filter-out %/calibration.json,$(filter %.json,$^)) --model $(ONNX) $(MADE_FROM) \
	  --calibration $(WORK)/calibration.json --photographs $(DEMO)/evaluation/images --output $@

qat: $(DEMO)/label.stamp  ## Fine-tune the embedded checkpoint with fake quantization; goes on where it stopped (DATA=)
	@for size in 320 640; do $(MAKE) --no-print-directory SIZE=$$size CHECKPOINT=$(EMBEDDED) NAME=$(OURS) $(BUILD)/$(OURS)_$${size}x$${size}_float32.tflite || exit; done
	$(RUN) quantize qat --model $(BUILD)/$(OURS)_320x320_float32.tflite $(BUILD)/$(OURS)_640x640_float32.tflite \
	  --checkpoint $(EMBEDDED) --ranges $(SHIPPED_RANGES) --recipe quantize/recipes/int8.json --data $(TRAINING_SETS) \
	  --photographs $(DEMO)/evaluation/images --output $(BUILD)/qat $(QAT_FLAGS)

audit: tflite  ## Hold the integer files against what they promise: all int8, one XNNPACK part, honest records
	$(RUN) quantize audit $(WORK)_int8.tflite \
	  --require "int8_macs>=0.9,outputs>=3,islands<=0,xnnpack_macs>=0.99,builtin==1,signature==1,metadata==1,hashes==1"
	$(RUN) quantize audit $(WORK)_int8_fp16.tflite --require "int8_macs>=0.9,outputs>=3,islands<=2,builtin==1,hashes==1"

ranges:  ## Measure the embedded checkpoint's activation ranges anew (PHOTOGRAPHS="folder ...")
	@for size in 320 640; do $(MAKE) --no-print-directory SIZE=$$size CHECKPOINT=$(EMBEDDED) NAME=$(OURS) $(BUILD)/$(OURS)_$${size}x$${size}_float32.tflite || exit; done
	@n=0; for folder in $(PHOTOGRAPHS); do n=$$((n+1)); $(RUN) calibration_data select --images $$folder \
	  --count $(CALIBRATION_IMAGES) --seed $(SEED) --output $(BUILD)/ranges/$$n.json || exit; done
	@$(RUN) quantize ranges --model $(BUILD)/$(OURS)_320x320_float32.tflite $(BUILD)/$(OURS)_640x640_float32.tflite \
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

benchmark: $(READY)  ## Time MODELS on DEVICE=host|arm64|arm64-app|armhf|adb[:SERIAL]|app[:SERIAL] (emulated: instructions)
	$(RUN) benchmark latency --device $(DEVICE) --model $(MODELS) --resume $(BENCHMARK_FLAGS)

arm: .venv/installed  ## Prepare the emulated ARM machines (once, about 150 MB, no root)
	$(RUN) benchmark arm

sign: $(READY)  ## Sign MODELS (default: those built) with KEY=private.pem; `featherface verify` checks
	$(RUN) benchmark sign $(MODELS) --key "$(KEY)"

android: $(READY)  ## Build, sign and verify the app with MODELS (default: those built): build/android/featherface-demo.apk
	$(RUN) android_demo.script_build assets $(MODELS)
	$(RUN) android_demo.script_build build

android-test: .venv/installed  ## Test the app on the JVM
	$(RUN) android_demo.script_build test

android-install: .venv/installed  ## Install the app on the phone over adb and start it (SERIAL=)
	$(RUN) android_demo.script_build install $(if $(SERIAL),--serial $(SERIAL))

test: .venv/installed  ## Run all tests
	$(RUN) pytest -n 2 --dist loadfile --no-loadscope-reorder

PEERS ?= $(wildcard ../shared/peers ../shared/checkpoints)
compare: .venv/installed $(DEMO)/label.stamp $(WORK)/calibration.json  ## Ours beside other people's models and converters (SETS= CALIBRATION= PEERS="folder ...")
	$(RUN) benchmark peers $(SETS) --calibration $(WORK)/calibration.json --photographs $(DEMO)/evaluation/images \
	  $(if $(PEERS),--weights $(PEERS)) --output $(BUILD)/peers $(BENCHMARK_FLAGS)

lint: .venv/installed  ## ruff, mypy --strict, import direction
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	.venv/bin/lint-imports

clean:  ## Remove what was made (not the environment)
	rm -rf $(BUILD)
