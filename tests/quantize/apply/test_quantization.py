"""Recipes on the real converted file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from convert.difference import measure_difference
from convert.tflite.graph import WEIGHTED, read_graph
from model.foundation.artifact import sha256_of
from model.foundation.errors import InputError
from model.runtime.flatbuffer import parse_model, read_model, spec_inside, text
from model.runtime.running import open_model
from quantize.apply.quantizer import apply_recipe
from quantize.calibrate.bounds import prepared
from quantize.calibrate.meter import measure_ranges
from quantize.calibrate.ranges import Ranges, SizeRanges, read_ranges, write_ranges
from quantize.recipe import LayerRule, Recipe, read_recipe
from tests.conftest import EMBEDDED, ROOT, Converted
from tests.small_tflite import SmallModel

RECIPES = ROOT / "quantize" / "recipes"


@pytest.fixture(scope="module")
def ranges(converted: Converted) -> Ranges:
    return measure_ranges(converted.float32, converted.photographs)


def _applied(recipe: Recipe, converted: Converted, ranges: Ranges, output: Path) -> Path:
    bounds = prepared(ranges, recipe.estimator, converted.float32) if recipe.is_static else None
    apply_recipe(recipe, converted.float32, bounds, output)
    return output


@pytest.fixture(scope="module")
def int8(converted: Converted, ranges: Ranges, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("int8") / "int8.tflite"
    return _applied(read_recipe(RECIPES / "int8.json"), converted, ranges, output)


def test_every_operator_of_the_integer_file_is_int8(int8: Path) -> None:
    graph = read_graph(int8)
    kinds = [operator.kind for operator in graph.operators]
    assert kinds.count("QUANTIZE") == 1  # bytes to int8; no rescaling between layers
    assert "DEQUANTIZE" not in kinds
    types = {graph.tensors[index].type for op in graph.operators for index in op.outputs}
    assert types == {"int8"}
    assert graph.tensors[graph.inputs[0]].type == "uint8"


def test_weights_are_per_channel_and_symmetric(int8: Path) -> None:
    model = read_model(int8)
    graph = model.subgraphs[0]
    weights = {one.inputs[1] for one in read_graph(int8).operators if one.kind in WEIGHTED}
    for index in weights:
        tensor = graph.tensors[index]
        values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.int8)
        assert len(tensor.quantization.scale) == tensor.shape[tensor.quantization.quantizedDimension]
        assert not np.any(tensor.quantization.zeroPoint)
        assert values.min() >= -127


def test_the_three_outputs_keep_their_own_scales(int8: Path, converted: Converted) -> None:
    details = Interpreter(str(int8)).get_output_details()
    assert [d["name"] for d in details] == list(converted.spec.output_names)
    scales = [d["quantization"][0] for d in details]
    assert len(set(scales)) == 3
    assert details[1]["quantization"] == (1 / 256, -128)  # a probability


def test_a_byte_of_the_image_is_the_quantized_value_itself(int8: Path) -> None:
    """Every value of a byte reaches the first layer without rounding."""
    interpreter = Interpreter(
        str(int8),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    assert entry["dtype"] == np.uint8
    assert entry["quantization"] == (1.0, 0)
    image = np.resize(np.arange(256, dtype=np.uint8), entry["shape"])
    interpreter.set_tensor(entry["index"], image)
    interpreter.invoke()
    inner = next(t for t in interpreter.get_tensor_details() if t["name"] == "image/int8")
    assert inner["quantization"] == (1.0, -128)
    np.testing.assert_array_equal(interpreter.get_tensor(inner["index"]).astype(int), image.astype(int) - 128)


def test_a_signed_input_takes_a_pixel_less_128_and_gives_the_same_bytes(
    int8: Path, converted: Converted, ranges: Ranges, tmp_path: Path
) -> None:
    recipe = read_recipe(RECIPES / "int8_signed.json")
    signed = _applied(recipe, converted, ranges, tmp_path / "signed.tflite")
    graph = read_graph(signed)
    entry = graph.tensors[graph.inputs[0]]
    assert (entry.name, entry.type, entry.scale) == ("image", "int8", (1.0, -128))
    assert "QUANTIZE" not in graph.require_builtin()
    image = converted.photographs[0]
    running = Interpreter(str(signed))
    running.allocate_tensors()
    running.set_tensor(running.get_input_details()[0]["index"], (image ^ 0x80).view(np.int8)[None])
    running.invoke()
    expected = open_model(int8).run(image).stored
    for one, stored in zip(running.get_output_details(), expected, strict=True):
        np.testing.assert_array_equal(running.get_tensor(one["index"]), stored)
    np.testing.assert_array_equal(open_model(signed).run(image).stored[0], expected[0])


def test_the_integer_file_still_sees_the_faces(int8: Path, converted: Converted) -> None:
    reference, candidate = open_model(converted.float32), open_model(int8)
    parity = measure_difference(
        lambda x: reference.run(x).values,
        lambda x: candidate.run(x).values,
        converted.photographs,
        converted.spec,
    )
    assert parity.outputs["scores"].sqnr_db is not None
    assert parity.outputs["scores"].sqnr_db > 10
    assert parity.faces > 0
    assert parity.faces_found >= 0.6 * parity.faces


def test_the_same_inputs_give_the_same_bytes(int8: Path, converted: Converted, tmp_path: Path) -> None:
    again = measure_ranges(converted.float32, converted.photographs)
    other = _applied(read_recipe(RECIPES / "int8.json"), converted, again, tmp_path / "other.tflite")
    assert sha256_of(other) == sha256_of(int8)


def test_float16_halves_the_weights_and_hardly_moves_the_outputs(
    converted: Converted, tmp_path: Path
) -> None:
    path = _applied(read_recipe(RECIPES / "float16.json"), converted, {}, tmp_path / "float16.tflite")
    assert path.stat().st_size < 0.6 * converted.float32.stat().st_size
    reference, candidate = open_model(converted.float32), open_model(path)
    parity = measure_difference(
        lambda x: reference.run(x).values,
        lambda x: candidate.run(x).values,
        converted.photographs,
        converted.spec,
    )
    assert all(output.sqnr_db is not None and output.sqnr_db > 40 for output in parity.outputs.values())


def test_a_mixed_recipe_does_to_each_layer_what_it_says(
    converted: Converted, ranges: Ranges, tmp_path: Path
) -> None:
    recipe = Recipe("mixed", (LayerRule(".", "int8"), LayerRule("^heads/landmarks$|^landmarks$", "float16")))
    path = _applied(recipe, converted, ranges, tmp_path / "mixed.tflite")
    details = Interpreter(str(path)).get_output_details()
    assert [d["dtype"] for d in details] == [np.int8, np.int8, np.float32]
    model = read_model(path)
    weights = {text(t.name): t.type for t in model.subgraphs[0].tensors}
    assert weights["heads/landmarks/weight"] == schema.TensorType.FLOAT16
    assert weights["heads/boxes/weight"] == schema.TensorType.INT8
    assert spec_inside(path) == converted.spec


def test_every_shipped_recipe_reads(converted: Converted) -> None:
    names = read_graph(converted.float32).layers
    for path in sorted(RECIPES.glob("*.json")):
        recipe = read_recipe(path)
        if path.stem.startswith(("featherface_v1", "retinaface")):
            continue
        recipe.check_layers(names)


def test_ranges_belong_to_one_checkpoint(converted: Converted, ranges: Ranges, tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    kept = SizeRanges.of(ranges, {"count": 8})
    write_ranges(path, sha256_of(EMBEDDED), {"96x128": kept, "320x320": kept})
    back, measured_at = read_ranges(path, sha256_of(EMBEDDED), 128, 128)
    assert measured_at == "96x128"
    assert set(back) == set(ranges)
    assert back["boxes"]["mse"] == pytest.approx(ranges["boxes"]["mse"], rel=1e-8)
    with pytest.raises(InputError, match="another checkpoint"):
        read_ranges(path, "0" * 64, 320, 320)
    with pytest.raises(InputError, match="no image"):
        measure_ranges(converted.float32, [])


def test_the_shipped_ranges_belong_to_the_shipped_checkpoint() -> None:
    path = EMBEDDED.with_name("featherface_v2_ranges.json")
    ranges, measured_at = read_ranges(path, sha256_of(EMBEDDED), 320, 320)
    assert measured_at == "320x320"
    assert ranges["image"]["min_max"][1] <= 255


def test_a_missing_range_names_the_tensor(converted: Converted, ranges: Ranges, tmp_path: Path) -> None:
    fewer = {name: value for name, value in ranges.items() if name != "laterals/1"}
    with pytest.raises(InputError, match="laterals/1"):
        _applied(read_recipe(RECIPES / "int8.json"), converted, fewer, tmp_path / "x.tflite")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_quantized_already_is_refused(
    int8: Path, converted: Converted, ranges: Ranges, tmp_path: Path
) -> None:
    output = tmp_path / "twice.tflite"
    for recipe in ("int8", "float16"):
        with pytest.raises(InputError, match="is quantized already"):
            apply_recipe(read_recipe(RECIPES / f"{recipe}.json"), int8, prepared(ranges, "mse", int8), output)
    assert not output.exists()


def test_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    small = SmallModel()
    image = small.tensor("image", "float32", [1, 2])
    first, second = (small.tensor("twin", "float32", [1, 2]) for _ in range(2))
    small.add("ADD", [image, image], [first])
    small.add("ADD", [first, image], [second])
    file = small.write(tmp_path / "twins.tflite", [image], [second])
    with pytest.raises(InputError, match="1 name.* 'twin'"):
        apply_recipe(read_recipe(RECIPES / "int8.json"), file, {}, tmp_path / "made.tflite")


def test_a_damaged_file_is_refused_before_it_is_parsed(converted: Converted, tmp_path: Path) -> None:
    content = converted.float32.read_bytes()
    for length in (20, len(content) // 2, len(content) - 100):
        damaged = tmp_path / "damaged.tflite"
        damaged.write_bytes(content[:length])
        with pytest.raises(InputError, match="damaged or truncated"):
            read_model(damaged)


def test_buffers_behind_the_flatbuffer_are_taken_in(converted: Converted) -> None:
    """The quantizer stores large buffers there, and a plain re-packing would lose them."""
    content = converted.float32.read_bytes()
    model = parse_model(content)
    index = next(
        i for i, buffer in enumerate(model.buffers) if buffer.data is not None and len(buffer.data) > 100
    )
    data = bytes(model.buffers[index].data)
    model.buffers[index].data = None
    model.buffers[index].offset, model.buffers[index].size = 1 << 21, len(data)
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    packed = bytes(builder.Output())
    again = parse_model(packed.ljust(1 << 21, b"\0") + data)
    assert bytes(again.buffers[index].data) == data


@pytest.mark.parametrize(
    ("kind", "said"), [("float32", "has no signature: convert it"), ("int32", "cannot take its graph")]
)
def test_a_graph_that_cannot_be_quantized_is_a_line(kind: str, said: str, tmp_path: Path) -> None:
    """No converter made it, or a flipped bit made its weights whole numbers."""
    small = SmallModel()
    image, made = (small.tensor(name, "float32", [1, 1, 1, n]) for name, n in (("image", 3), ("made", 1)))
    weight = small.constant("weight", np.ones((1, 1, 1, 3), kind))
    small.add("CONV_2D", [image, weight, small.constant("bias", np.zeros(1, np.float32))], [made])
    model = small.write(tmp_path / "odd.tflite", [image], [made])
    recipe = Recipe("int8", (LayerRule(".", "int8"),))
    with pytest.raises(InputError, match=said):
        apply_recipe(recipe, model, {"image": (0.0, 1.0), "made": (0.0, 1.0)}, tmp_path / "int8.tflite")
