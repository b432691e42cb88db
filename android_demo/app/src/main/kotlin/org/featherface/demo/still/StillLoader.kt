package org.featherface.demo.still

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Matrix
import android.media.ExifInterface
import android.net.Uri
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.DetectorException
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream

/** Reads photographs: decoded, turned upright by their EXIF orientation, in software memory. */
object StillLoader {
    /** More than any phone's screen shows, and little enough for its memory. */
    private const val MAX_SIDE = 2048

    /**
     * Read the photograph behind [uri], at most [MAX_SIDE] pixels on its longer side.
     *
     * @throws DetectorException it cannot be opened, is not an image, or is too large for the memory
     */
    fun load(
        resolver: ContentResolver,
        uri: Uri,
    ): Bitmap =
        load(uri.lastPathSegment ?: uri.toString(), MAX_SIDE) {
            resolver.openInputStream(uri) ?: throw FileNotFoundException("nothing behind $uri")
        }

    /**
     * Read a photograph in full size.
     *
     * @throws DetectorException it cannot be opened, is not an image, or is too large for the memory
     */
    fun load(file: File): Bitmap = load(file.name, Int.MAX_VALUE) { file.inputStream() }

    /** The pixels of [bitmap] as the detector takes them. */
    fun pixelsOf(bitmap: Bitmap): ArgbImage {
        val pixels = IntArray(bitmap.width * bitmap.height)
        bitmap.getPixels(pixels, 0, bitmap.width, 0, 0, bitmap.width, bitmap.height)
        return ArgbImage(pixels, bitmap.width, bitmap.height)
    }

    private fun load(
        name: String,
        maxSide: Int,
        open: () -> InputStream,
    ): Bitmap =
        try {
            val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
            open().use { BitmapFactory.decodeStream(it, null, bounds) }
            val options = BitmapFactory.Options().apply { inPreferredConfig = Bitmap.Config.ARGB_8888 }
            while (maxOf(bounds.outWidth, bounds.outHeight) / options.inSampleSize.coerceAtLeast(1) > maxSide) {
                options.inSampleSize = options.inSampleSize.coerceAtLeast(1) * 2
            }
            val stored =
                open().use { BitmapFactory.decodeStream(it, null, options) }
                    ?: throw DetectorException("$name cannot be decoded: expected a JPEG, PNG or WebP image")
            upright(stored, open().use(::orientationOf))
        } catch (error: IOException) {
            throw DetectorException("$name cannot be read: ${error.message}", error)
        } catch (error: SecurityException) {
            throw DetectorException("$name may not be read: ${error.message}", error)
        } catch (error: DetectorException) {
            throw error
        } catch (error: RuntimeException) {
            // What goes wrong inside another app's content provider is thrown here.
            throw DetectorException("$name cannot be read: $error", error)
        } catch (error: OutOfMemoryError) {
            throw DetectorException("$name is too large for this phone's memory", error)
        }

    private fun orientationOf(stream: InputStream): Int =
        try {
            ExifInterface(stream).getAttributeInt(ExifInterface.TAG_ORIENTATION, ExifInterface.ORIENTATION_NORMAL)
        } catch (error: IOException) {
            ExifInterface.ORIENTATION_NORMAL // no EXIF in this format
        }

    private fun upright(
        stored: Bitmap,
        orientation: Int,
    ): Bitmap {
        val turn = Matrix()
        when (orientation) {
            ExifInterface.ORIENTATION_FLIP_HORIZONTAL -> turn.setScale(-1f, 1f)
            ExifInterface.ORIENTATION_ROTATE_180 -> turn.setRotate(180f)
            ExifInterface.ORIENTATION_FLIP_VERTICAL -> turn.setScale(1f, -1f)
            ExifInterface.ORIENTATION_TRANSPOSE -> turn.apply { setRotate(90f) }.postScale(-1f, 1f)
            ExifInterface.ORIENTATION_ROTATE_90 -> turn.setRotate(90f)
            ExifInterface.ORIENTATION_TRANSVERSE -> turn.apply { setRotate(-90f) }.postScale(-1f, 1f)
            ExifInterface.ORIENTATION_ROTATE_270 -> turn.setRotate(-90f)
            else -> return stored
        }
        return Bitmap.createBitmap(stored, 0, 0, stored.width, stored.height, turn, false).also { stored.recycle() }
    }
}
