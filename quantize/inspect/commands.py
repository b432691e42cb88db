"""The commands `lint`, `audit` and `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from model.foundation.command_line.flags import (
    Checkpoint,
    Images,
    Json,
    Limit,
    Model,
    Models,
    Network,
    Recipe,
    Seed,
    Size,
)
from model.foundation.errors import GateError, InputError
from quantize.inspect.figures import FIGURES, parse_requirements, require
from quantize.inspect.lint.findings import Level

_REQUIRE = (
    'e.g. "int8_macs>=0.9,outputs>=3,islands<=2"; exit code 1 if one is missed. '
    f"Figures: {', '.join(FIGURES)}"
)
Requirements = Annotated[str | None, Parameter(name="--require", help=_REQUIRE)]


def lint(
    model: Annotated[Model | None, Parameter(help="an ONNX or float TFLite file, whoever made it")] = None,
    *,
    network: Annotated[Network | None, Parameter(help="one of this project's instead of a file")] = None,
    checkpoint: Annotated[
        Checkpoint | None, Parameter(help="its weights (.pth); without them rules about weights are left out")
    ] = None,
    size: Size = "320",
    recipe: Annotated[Recipe | None, Parameter(help="leave out what this recipe keeps in float")] = None,
    level: Annotated[
        Level, Parameter(help="exit code 1 when there is a finding of this level or worse")
    ] = "warning",
    json: Json = None,
) -> None:
    """Before calibration: what of a network will not survive INT8, by layer, why, and the remedy."""
    if (model is None) == (network is None):
        raise InputError("lint: give either an ONNX or TFLite file, or --network NAME")
    if (checkpoint is not None and network is None) or (recipe is not None and model is None):
        raise InputError(
            "lint: --checkpoint goes with --network, --recipe with a file: it has its own weights"
        )
    from model.foundation.records import write_record
    from quantize.inspect.lint.linting import LintReport, lint_file, lint_network, print_findings
    from quantize.recipe import read_recipe

    if model is not None:
        what, findings = model.name, lint_file(model, None if recipe is None else read_recipe(recipe))
    else:
        what, findings = f"{network} at {size}", lint_network(str(network), size, checkpoint)
    print_findings(what, findings, weights=bool(model or checkpoint))
    report = LintReport.of(what, model or checkpoint, findings)
    if json is not None:
        write_record(json, report)
    if grave := report.at_least(level):
        raise GateError(f"{what}: {len(grave)} finding(s) of level {level} or worse")


def audit(
    model: Annotated[Models, Parameter(help="TFLite files, whoever made them")],
    *,
    require_: Requirements = None,
    json: Json = None,
) -> None:
    """What is really in TFLite files; --require makes it a gate, which each of them must pass."""
    from model.foundation.records import write_record
    from quantize.inspect.audit import audit as look
    from quantize.inspect.audit_page import print_audit

    requirements = [] if require_ is None else parse_requirements(require_)
    found = []
    for path in model:
        found.append(look(path))
        print_audit(found[-1])
    if json is not None:
        write_record(json, {"audits": found})
    for one in found:
        require(requirements, one.figures, one.file)


def compare(
    first: Annotated[Path, Parameter(help="reference (A), e.g. the float32 TFLite file")],
    second: Annotated[Path, Parameter(help="B, e.g. the int8 file")],
    *,
    images: Images,
    limit: Limit = 8,
    seed: Seed = 0,
    limit_db: Annotated[
        float, Parameter(help="the files part where a layer's SQNR falls below so many dB")
    ] = 20.0,
    spec: Annotated[Path | None, Parameter(help="detector spec (JSON) for files that carry none")] = None,
    html: Annotated[Path | None, Parameter(help="write a page with histograms")] = None,
    json: Annotated[
        Json, Parameter(help="write the table as JSON too; `benchmark report --layers` reads it")
    ] = None,
) -> None:
    """SQNR of each layer between two TFLite files of one network, the worst first, and where they part."""
    from calibration_data.image_set import ImageSet
    from convert.photographs import readable_inputs
    from convert.tflite.layer_difference import Watched, compare_layers
    from model.foundation.artifact import replacing
    from model.foundation.command_line.progress import tracked
    from model.foundation.records import write_record
    from model.geometry.spec import read_spec
    from quantize.inspect.compare import print_comparison, spec_of_both

    files = Watched(first), Watched(second)
    fed = spec_of_both(*files, None if spec is None else read_spec(spec))
    inputs = readable_inputs(ImageSet.read(images).sample(limit, seed).images.values(), fed)
    shown = tracked(inputs, "both files on each image", transient=True)
    found, histograms = compare_layers(*files, shown, limit_db)
    print_comparison(found)
    if json is not None:
        write_record(json, found)
    if html is not None:
        from quantize.inspect.compare_page import page

        with replacing(html) as temporary:
            temporary.write_text(page(found, histograms), encoding="utf-8")
