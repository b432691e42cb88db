package org.featherface.demo.ui

import org.featherface.demo.app.AppTest
import org.featherface.demo.app.GOLDEN
import org.featherface.demo.app.ScriptedModels
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.Delegate
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.FaceChanges
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.RuntimeOptions
import org.featherface.demo.detector.YuvImage
import org.featherface.demo.detector.yuvOf
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import java.util.Collections

/** The way of a camera frame from the camera's thread over the network's to the screen. */
class DetectionThreadTest : AppTest() {
    private val golden = Golden(GOLDEN)
    private val result = FrameResult()
    private val ends = Collections.synchronizedList(mutableListOf<String?>())
    private val detection = DetectionThread(ScriptedModels(), factory, result, ends::add)
    private val frame = yuvOf(ArgbImage(IntArray(golden.imageWidth * golden.imageHeight), golden.imageWidth, golden.imageHeight), false, 0)

    @Before
    fun load() {
        var loaded: LoadResult? = null
        detection.load("featherface_v2_320x320_int8.tflite", RuntimeOptions(1, Delegate.CPU)) { loaded = it }
        settle()
        assertTrue(loaded is LoadResult.Loaded)
    }

    @After
    fun close() = detection.close()

    @Test
    fun aFrameFindsItsFaces() {
        detection.offer(frame)
        settle()
        assertEquals(listOf<String?>(null), ends)
        assertEquals(18, result.faces.count)
        assertEquals(golden.imageWidth to golden.imageHeight, result.imageWidth to result.imageHeight)
    }

    @Test
    fun ofFramesThatComeTooFastTheNewestIsSearched() {
        shadowOf(detection.handler.looper).pause()
        repeat(5) { detection.offer(frame) }
        shadowOf(detection.handler.looper).unPause()
        settle()
        assertEquals(1, factory.opened.single().runs)
        detection.offer(frame)
        settle()
        assertEquals(2, factory.opened.single().runs)
    }

    @Test
    fun theThresholdInForceCounts() {
        detection.threshold = 0.7f
        detection.offer(frame)
        settle()
        assertEquals(8, result.faces.count)
    }

    @Test
    fun whereAskedFacesAreCalmed() {
        // The same outputs lie elsewhere in a frame that is a little narrower: the face has moved a little.
        val narrower = golden.imageWidth - 2
        val moved = yuvOf(ArgbImage(IntArray(narrower * golden.imageHeight), narrower, golden.imageHeight), false, 0)
        val (before, after) = listOf(frame, moved).map(::rightEdgeIn)
        detection.isSteady = true
        assertEquals("the first is shown where it is", before, rightEdgeIn(frame), 0f)
        assertTrue("$before to $after", rightEdgeIn(moved) in after + 0.3f * (before - after)..before - 0.2f * (before - after))
        detection.isSteady = false
        assertEquals(after, rightEdgeIn(moved), 0f)
    }

    /** The first face's. */
    private fun rightEdgeIn(frame: YuvImage): Float {
        detection.offer(frame)
        settle()
        return result.faces.boxes[2]
    }

    @Test
    fun whereAskedTheFloatTwinSearchesAFrameToo() {
        val twins = ScriptedModels("a_int8.tflite", "a_float32.tflite")
        val watched = DetectionThread(twins, factory, result, ends::add)
        watched.load(
            "a_int8.tflite",
            RuntimeOptions(1, Delegate.CPU),
        ) { assertEquals("a_float32.tflite", (it as LoadResult.Loaded).floatTwin) }
        watched.isTwinWatching = true
        repeat(2) {
            watched.offer(frame)
            shadowOf(watched.handler.looper).idle()
        }
        assertEquals(DriftReport(checks = 1, faces = FaceChanges(18, 0, 0, 0f)), watched.drift)
        assertEquals("in the frame's pixels, as before", 18, result.faces.count)
        assertEquals(1, factory.opened.last().runs)
        watched.close()
        shadowOf(watched.handler.looper).idle()
        assertTrue(factory.opened.drop(1).all { it.isClosed })
    }

    @Test
    fun aFrameThatIsSmallerThanItSaysIsRefused() {
        val cut = YuvImage()
        cut.width = 640
        cut.height = 480
        cut.lumaRowStride = 640
        cut.chromaRowStride = 640
        cut.chromaPixelStride = 2
        assertThrows(DetectorException::class.java) { detection.offer(cut) }
        settle()
        assertEquals(0, factory.opened.single().runs)
    }

    @Test
    fun withoutAModelAFrameIsLetGo() {
        val empty = DetectionThread(ScriptedModels(), factory, result, ends::add)
        empty.offer(frame)
        shadowOf(empty.handler.looper).idle()
        empty.close()
        assertEquals(emptyList<String?>(), ends)
    }

    private fun settle() = shadowOf(detection.handler.looper).idle()
}
