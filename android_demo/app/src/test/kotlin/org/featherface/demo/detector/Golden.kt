package org.featherface.demo.detector

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import java.io.File
import java.util.zip.GZIPInputStream

/** A golden file that Python's `tests/golden/make_goldens.py` wrote: a network's raw outputs and the faces in them. */
class Golden(
    name: String,
) {
    private val json = JSONObject(File(folder, "$name.json").readText())
    val spec = DetectorSpec.fromJson(json.getJSONObject("spec").toString())
    val imageHeight: Int = json.getJSONArray("image_hw").getInt(0)
    val imageWidth: Int = json.getJSONArray("image_hw").getInt(1)
    val inputPixels: JSONArray = json.getJSONArray("input_pixels")
    val imagePixels: JSONArray = json.getJSONArray("image_pixels")
    val outputs: RawOutputs

    init {
        val payload = GZIPInputStream(File(folder, "$name.bin.gz").inputStream()).use { it.readBytes() }
        var start = 0
        val tensors =
            json.getJSONArray("tensors").objects().map { tensor ->
                val shape = tensor.getJSONArray("shape")
                val info =
                    TensorInfo(
                        name = tensor.getString("name"),
                        type = ElementType.valueOf(tensor.getString("type").uppercase()),
                        shape = List(shape.length()) { shape.getInt(it) },
                        scale = tensor.getDouble("scale").toFloat(),
                        zeroPoint = tensor.getInt("zero_point"),
                    )
                val bytes = info.allocate()
                bytes.put(payload, start, bytes.capacity())
                start += bytes.capacity()
                RawTensor(info, bytes)
            }
        outputs = RawOutputs.of(spec, tensors)
    }

    companion object {
        /** Where the golden files are; set by whatever runs the tests. */
        val folder = File(System.getProperty("featherface.golden") ?: "../../tests/golden")

        /** Names of the cases with raw outputs. */
        fun names(): List<String> =
            folder
                .list()
                .orEmpty()
                .filter { it.endsWith(".bin.gz") }
                .map { it.removeSuffix(".bin.gz") }
                .sorted()

        /** Compare faces with those of Python, to within [tolerance] pixels. */
        fun assertSame(
            expected: JSONArray,
            found: Detections,
            tolerance: Float = 1e-3f,
            scoreTolerance: Float = 1e-6f,
        ) {
            assertEquals("number of faces", expected.length(), found.count)
            for ((index, face) in expected.objects().withIndex()) {
                val box = face.getJSONArray("box_xyxy")
                assertEquals("score of face $index", face.getDouble("score").toFloat(), found.scores[index], scoreTolerance)
                for (value in 0 until 4) {
                    assertEquals("box of face $index", box.getDouble(value).toFloat(), found.boxes[4 * index + value], tolerance)
                }
                val landmarks = face.getJSONArray("landmarks_xy").let { rows -> List(rows.length()) { rows.getJSONArray(it) } }
                assertEquals("landmarks of face $index", landmarks.size, found.points)
                for ((point, xy) in landmarks.withIndex()) {
                    val at = 2 * (found.points * index + point)
                    assertEquals("landmark $point of face $index", xy.getDouble(0).toFloat(), found.landmarks[at], tolerance)
                    assertEquals("landmark $point of face $index", xy.getDouble(1).toFloat(), found.landmarks[at + 1], tolerance)
                }
            }
        }
    }
}

/** The elements of an array of objects. */
fun JSONArray.objects(): List<JSONObject> = List(length()) { getJSONObject(it) }
