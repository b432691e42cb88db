package org.featherface.demo.ui

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.util.Random

class ViewMappingTest {
    private val random = Random(3)

    @Test
    fun theImageFillsTheViewInOneDirectionAndIsInTheMiddle() =
        anySizes { width, height, viewWidth, viewHeight ->
            val map = ViewMapping(width, height, viewWidth, viewHeight, mirrored = false)
            val right = map.x(width.toFloat())
            val bottom = map.y(height.toFloat())
            assertEquals(map.left, viewWidth - right, 0.01f)
            assertEquals(map.top, viewHeight - bottom, 0.01f)
            assertTrue(map.left > -0.01f && map.top > -0.01f)
            assertTrue(minOf(map.left, map.top) < 0.01f)
        }

    @Test
    fun mirroringTwiceIsNoMirroring() =
        anySizes { width, height, viewWidth, viewHeight ->
            val plain = ViewMapping(width, height, viewWidth, viewHeight, mirrored = false)
            val mirror = ViewMapping(width, height, viewWidth, viewHeight, mirrored = true)
            val x = random.nextFloat() * width
            assertEquals(plain.x(x), mirror.x(width - x), 0.01f)
            assertEquals("only left and right change places", plain.y(x), mirror.y(x), 0f)
            assertEquals("a mirror about the view's middle", viewWidth.toFloat(), plain.x(x) + mirror.x(x), 0.02f)
        }

    private fun anySizes(check: (Int, Int, Int, Int) -> Unit) =
        repeat(200) { check(1 + random.nextInt(2000), 1 + random.nextInt(2000), 1 + random.nextInt(3000), 1 + random.nextInt(3000)) }
}
