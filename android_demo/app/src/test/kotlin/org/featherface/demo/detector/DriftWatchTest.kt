package org.featherface.demo.detector

import org.featherface.demo.app.GOLDEN
import org.featherface.demo.detector.decoders.Decoders
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

/** On what V2's int8 file at 320 answers to pictures like and unlike the 128 photographs of its statistics (`make_goldens.py`). */
class DriftWatchTest {
    private val json = JSONObject(File(Golden.folder, "drift_watch.json").readText())
    private val calibration = CalibrationOutputs.fromJson(json.getJSONObject("statistics"))

    @Test
    fun picturesUnlikeTheCalibrationsAreNoticedAndOthersAreNot() {
        val expected =
            mapOf(
                "other photographs" to setOf(),
                "parts of one photograph" to setOf(),
                "inverted" to setOf(Drift.SURENESS),
                "noisy" to setOf(Drift.SCORES),
                "noise alone" to setOf(Drift.SCORES),
            )
        assertEquals(expected.keys, json.getJSONObject("pictures").keySet())
        for ((name, drifts) in expected) assertEquals(name, drifts, watched(picturesOf(name)).drifts())
    }

    @Test
    fun halfAWindowOfPhotographsRaisesNothing() {
        for (name in listOf("other photographs", "parts of one photograph")) {
            val pictures = picturesOf(name)
            for (first in 0..DriftWatch.WINDOW - DriftWatch.LEAST) {
                val part = pictures.subList(first, first + DriftWatch.LEAST)
                assertEquals("$name from $first", setOf<Drift>(), watched(part).drifts())
            }
        }
    }

    @Test
    fun ofAFewPicturesNothingIsSaid() = assertEquals(setOf<Drift>(), watched(picturesOf("noise alone").take(DriftWatch.LEAST - 1)).drifts())

    @Test
    fun whatLiesBackIsForgotten() {
        val watch = watched(picturesOf("noise alone"))
        picturesOf("other photographs").forEach(watch::add)
        assertEquals(setOf<Drift>(), watch.drifts())
    }

    @Test
    fun cutOffOutputsAreNoticed() {
        val cut = picturesOf("other photographs").map { PictureOutputs(it.scoreCounts, it.surest, it.saturatedShare + 0.05) }
        assertEquals(setOf(Drift.SATURATION), watched(cut).drifts())
    }

    @Test
    fun aPictureIsCountedAsPythonCountsIt() {
        val golden = Golden(GOLDEN)
        val expected = pictureOf(json.getJSONObject(GOLDEN))
        val found = PictureOutputs.of(golden.outputs, Decoders.of(golden.spec), calibration.scoreEdges)
        assertArrayEquals(expected.scoreCounts, found.scoreCounts)
        assertEquals(expected.surest, found.surest, 1e-6f)
        assertEquals(expected.saturatedShare, found.saturatedShare, 1e-9)
    }

    @Test
    fun aRecordMayBeSilentButNotBroken() {
        assertNull(CalibrationOutputs.ofRecord("{}"))
        assertNull(CalibrationOutputs.ofRecord("""{"output_statistics": null}"""))
        for (broken in listOf(
            "no record",
            """{"output_statistics": {}}""",
            """{"output_statistics": {"score_edges": [], "score_shares": []}}""",
        )) {
            val error = assertThrows(DetectorException::class.java) { CalibrationOutputs.ofRecord(broken) }
            assertTrue(error.message, error.message!!.startsWith("the model's record: "))
        }
    }

    private fun watched(pictures: List<PictureOutputs>) = DriftWatch(calibration).also { pictures.forEach(it::add) }

    private fun picturesOf(set: String) =
        json
            .getJSONObject("pictures")
            .getJSONArray(set)
            .objects()
            .map(::pictureOf)

    private fun pictureOf(json: JSONObject): PictureOutputs {
        val counts = json.getJSONArray("score_counts")
        val bins = IntArray(counts.length()) { counts.getInt(it) }
        return PictureOutputs(bins, json.getDouble("surest").toFloat(), json.getDouble("saturated_share"))
    }
}
