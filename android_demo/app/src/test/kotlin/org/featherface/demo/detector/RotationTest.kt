package org.featherface.demo.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class RotationTest {
    @Test
    fun wholeTurnsChangeNothing() {
        for (rotation in Rotation.entries) {
            for (turns in -2..2) assertEquals(rotation, Rotation.of(rotation.degrees + 360 * turns))
        }
    }

    @Test
    fun anglesBetweenAreRefused() {
        assertThrows(IllegalArgumentException::class.java) { Rotation.of(45) }
    }

    @Test
    fun aPhoneHeldUprightTurnsItsSensorsBy90And270() {
        assertEquals(Rotation.RIGHT, Rotation.ofCamera(sensorDegrees = 90, displayDegrees = 0, frontFacing = false))
        assertEquals(Rotation.LEFT, Rotation.ofCamera(sensorDegrees = 270, displayDegrees = 0, frontFacing = true))
    }

    @Test
    fun turningThePhoneTurnsTheCamerasInOppositeWays() {
        for (sensor in listOf(0, 90, 180, 270)) {
            for (display in listOf(0, 90, 180, 270)) {
                val back = Rotation.ofCamera(sensor, display, frontFacing = false)
                val front = Rotation.ofCamera(sensor, display, frontFacing = true)
                assertEquals(Rotation.of(2 * sensor), Rotation.of(back.degrees + front.degrees))
            }
        }
    }
}
