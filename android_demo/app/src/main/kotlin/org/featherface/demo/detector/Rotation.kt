package org.featherface.demo.detector

/** Clockwise turn that makes a stored image upright. */
enum class Rotation(
    val degrees: Int,
) {
    NONE(0),
    RIGHT(90),
    HALF(180),
    LEFT(270),
    ;

    /** Whether width and height change places. */
    val isSideways: Boolean get() = this == RIGHT || this == LEFT

    companion object {
        /** The rotation of [degrees], any multiple of 90, negative ones included. */
        fun of(degrees: Int): Rotation {
            require(degrees % 90 == 0) { "a rotation is a multiple of 90 degrees, found $degrees" }
            return entries[Math.floorMod(degrees, 360) / 90]
        }

        /**
         * Clockwise turn from a camera's frames to an upright image on the screen.
         *
         * @param sensorDegrees `SENSOR_ORIENTATION`: clockwise turn from the sensor's frames to the device's natural upright
         * @param displayDegrees counter-clockwise turn of the screen's content from natural upright (`Display.rotation`)
         * @param frontFacing the front camera's frames turn the other way, because it looks the other way
         *
         * Source: Android's CameraCharacteristics.SENSOR_ORIENTATION documentation.
         */
        fun ofCamera(
            sensorDegrees: Int,
            displayDegrees: Int,
            frontFacing: Boolean,
        ): Rotation = of(if (frontFacing) sensorDegrees + displayDegrees else sensorDegrees - displayDegrees)
    }
}
