package org.featherface.demo.camera

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CameraMetadata
import android.hardware.camera2.CaptureRequest
import android.media.ImageReader
import android.os.Handler
import android.util.Range
import android.view.Surface

/**
 * A camera of the phone and the mode it will run in.
 *
 * @property size of the frames that are searched
 * @property preview size of what is shown, of the same shape
 * @property focuses whether it can follow a moving picture; cameras of one fixed focus refuse to be told
 */
data class CameraMode(
    val id: String,
    val isFront: Boolean,
    val sensorDegrees: Int,
    val size: FrameSize,
    val rate: FrameRate?,
    val preview: FrameSize = size,
    val focuses: Boolean = false,
)

/** Hears from the camera, on the controller's thread. */
interface CameraListener {
    /** A frame is waiting in [reader]. */
    fun onFrame(reader: ImageReader)

    /**
     * The camera is gone: taken by another app, switched off by policy, or broken.
     *
     * @param comesBack whether it was taken, so that [onAvailable] will tell when it is free again
     */
    fun onLost(
        reason: String,
        comesBack: Boolean,
    )

    /** A camera that was in use is free. */
    fun onAvailable()
}

/**
 * Opens one camera and streams it to a preview surface and to an image reader. All callbacks come on [thread].
 *
 * @param thread a thread of the camera alone: a frame is written while the network searches the last one
 */
class CameraController(
    context: Context,
    private val thread: Handler,
    private val listener: CameraListener,
) {
    private val manager = context.getSystemService(Context.CAMERA_SERVICE) as CameraManager
    private var device: CameraDevice? = null
    private var reader: ImageReader? = null
    private var preview: Surface? = null
    private var wanted = 0
    private val availability =
        object : CameraManager.AvailabilityCallback() {
            override fun onCameraAvailable(cameraId: String) = listener.onAvailable()
        }

    init {
        manager.registerAvailabilityCallback(availability, thread)
    }

    /** Stop, and hear nothing more of the phone's cameras. */
    fun close() {
        manager.unregisterAvailabilityCallback(availability)
        stop()
    }

    /**
     * The camera that looks to the front or back, or the other one if the phone has only that.
     *
     * @param needed the longer side of the network's input in pixels
     * @return null if there is no camera
     */
    fun choose(
        front: Boolean,
        needed: Int,
    ): CameraMode? =
        try {
            val modes = manager.cameraIdList.mapNotNull { id -> factsOf(id)?.let { modeOf(id, it, needed) } }
            modes.find { it.isFront == front } ?: modes.firstOrNull()
        } catch (error: CameraAccessException) {
            null
        }

    /** Whether the phone has cameras on both sides. */
    fun hasBothSides(): Boolean =
        try {
            val facings = manager.cameraIdList.map { factsOf(it)?.get(CameraCharacteristics.LENS_FACING) }
            CameraCharacteristics.LENS_FACING_FRONT in facings && CameraCharacteristics.LENS_FACING_BACK in facings
        } catch (error: CameraAccessException) {
            false
        }

    /** Start streaming [mode]; the permission must have been given. Ends an earlier stream. */
    @SuppressLint("MissingPermission")
    fun start(
        mode: CameraMode,
        texture: SurfaceTexture,
    ) {
        stop()
        val request = ++wanted
        preview = Surface(texture)
        reader =
            ImageReader.newInstance(mode.size.width, mode.size.height, ImageFormat.YUV_420_888, BUFFERS).also {
                it.setOnImageAvailableListener(listener::onFrame, thread)
            }
        try {
            manager.openCamera(mode.id, Opening(mode, texture, request), thread)
        } catch (error: CameraAccessException) {
            lose(request, error.message, error.reason in TAKEN_REASONS)
        } catch (error: SecurityException) {
            lose(request, error.message)
        } catch (error: IllegalArgumentException) {
            lose(request, error.message)
        }
    }

    /** Stop streaming and give the camera back. */
    fun stop() {
        wanted++
        device?.close()
        device = null
        reader?.close()
        reader = null
        preview?.release()
        preview = null
    }

    /** Null for a camera that was unplugged since it was listed. */
    private fun factsOf(id: String): CameraCharacteristics? =
        try {
            manager.getCameraCharacteristics(id)
        } catch (error: CameraAccessException) {
            null
        } catch (error: IllegalArgumentException) {
            null
        }

    private fun modeOf(
        id: String,
        facts: CameraCharacteristics,
        needed: Int,
    ): CameraMode? {
        val map = facts[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP] ?: return null
        val sizes = map.getOutputSizes(ImageFormat.YUV_420_888)?.map { FrameSize(it.width, it.height) }.orEmpty()
        if (sizes.isEmpty()) return null
        val size = CameraChoice.size(sizes, needed)
        val shown = map.getOutputSizes(SurfaceTexture::class.java)?.map { FrameSize(it.width, it.height) }.orEmpty()
        val rates = facts[CameraCharacteristics.CONTROL_AE_AVAILABLE_TARGET_FPS_RANGES].orEmpty()
        return CameraMode(
            id = id,
            isFront = facts[CameraCharacteristics.LENS_FACING] == CameraCharacteristics.LENS_FACING_FRONT,
            sensorDegrees = facts[CameraCharacteristics.SENSOR_ORIENTATION] ?: 0,
            size = size,
            preview = CameraChoice.preview(shown, size),
            focuses = CONTINUOUS in facts[CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES].orEmpty(),
            rate = CameraChoice.rate(rates.map { FrameRate(it.lower, it.upper) }),
        )
    }

    private fun lose(
        request: Int,
        reason: String?,
        comesBack: Boolean = false,
    ) {
        if (request != wanted) return
        stop()
        listener.onLost(reason ?: "no reason given", comesBack)
    }

    /** Follows one request to open a camera; ignores what comes after the request was withdrawn. */
    private inner class Opening(
        private val mode: CameraMode,
        private val texture: SurfaceTexture,
        private val request: Int,
    ) : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (request != wanted) return camera.close()
            device = camera
            // Not earlier: when the app comes back, the view's first drawing sets the size to its own.
            texture.setDefaultBufferSize(mode.preview.width, mode.preview.height)
            val surfaces = listOfNotNull(preview, reader?.surface)
            try {
                @Suppress("DEPRECATION") // its successor exists only from API 28 on
                camera.createCaptureSession(surfaces, Streaming(camera, surfaces), thread)
            } catch (error: CameraAccessException) {
                lose(request, error.message)
            } catch (error: IllegalStateException) {
                lose(request, error.message)
            } catch (error: IllegalArgumentException) {
                lose(request, error.message)
            }
        }

        override fun onDisconnected(camera: CameraDevice) = close(camera, "another app has taken the camera", true)

        override fun onError(
            camera: CameraDevice,
            error: Int,
        ) = close(camera, "the camera reports error $error", error in TAKEN_ERRORS)

        private fun close(
            camera: CameraDevice,
            reason: String,
            comesBack: Boolean = false,
        ) {
            camera.close()
            lose(request, reason, comesBack)
        }

        private inner class Streaming(
            private val camera: CameraDevice,
            private val surfaces: List<Surface>,
        ) : CameraCaptureSession.StateCallback() {
            override fun onConfigured(session: CameraCaptureSession) {
                if (request != wanted) return
                try {
                    val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
                    surfaces.forEach(request::addTarget)
                    if (mode.focuses) request[CaptureRequest.CONTROL_AF_MODE] = CONTINUOUS
                    mode.rate?.let { request[CaptureRequest.CONTROL_AE_TARGET_FPS_RANGE] = Range(it.lowest, it.highest) }
                    session.setRepeatingRequest(request.build(), null, thread)
                } catch (error: CameraAccessException) {
                    close(camera, error.message ?: "the camera does not stream")
                } catch (error: IllegalStateException) {
                    close(camera, error.message ?: "the camera does not stream")
                } catch (error: IllegalArgumentException) {
                    close(camera, error.message ?: "the camera does not stream")
                }
            }

            override fun onConfigureFailed(session: CameraCaptureSession) = close(camera, "the camera refuses ${mode.size}")
        }
    }

    private companion object {
        /** One being read, one newest, one being filled. */
        const val BUFFERS = 3

        const val CONTINUOUS = CameraMetadata.CONTROL_AF_MODE_CONTINUOUS_VIDEO
        val TAKEN_REASONS = setOf(CameraAccessException.CAMERA_IN_USE, CameraAccessException.MAX_CAMERAS_IN_USE)
        val TAKEN_ERRORS =
            setOf(CameraDevice.StateCallback.ERROR_CAMERA_IN_USE, CameraDevice.StateCallback.ERROR_MAX_CAMERAS_IN_USE)

        fun IntArray?.orEmpty(): IntArray = this ?: IntArray(0)
    }
}
