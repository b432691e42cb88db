package org.featherface.demo.detector

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class InputFrameTest {
    @Test
    fun aFramesPictureIsWhatWasWrittenWithoutTheBorder() {
        val spec = specOf(64, 32)
        for (type in ElementType.entries) {
            for ((width, height) in listOf(64 to 20, 12 to 32)) {
                val image = pattern(width, height)
                val tensor =
                    TensorInfo(
                        "input",
                        type,
                        listOf(1, spec.inputHeight, spec.inputWidth, 3),
                        1f,
                        if (type ==
                            ElementType.INT8
                        ) {
                            -128
                        } else {
                            0
                        },
                    )
                val frame = InputFrame(tensor.allocate())
                frame.letterbox = InputWriter(spec, type).write(image, frame.input)
                val fit = Letterbox.of(spec, width, height)
                val picture = pictureIn(frame, tensor)
                assertEquals(fit.contentWidth to fit.contentHeight, picture.width to picture.height)
                if (fit.scale ==
                    1.0
                ) {
                    assertArrayEquals("$type", IntArray(image.pixels.size) { image.pixels[it] or (0xff shl 24) }, picture.pixels)
                }
            }
        }
    }
}
