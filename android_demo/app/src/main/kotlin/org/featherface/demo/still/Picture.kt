package org.featherface.demo.still

import android.content.ContentResolver
import android.graphics.Bitmap
import android.net.Uri
import org.featherface.demo.detector.ArgbImage
import org.featherface.demo.detector.DetectorException
import kotlin.concurrent.thread

/** A photograph that has been read: to show, and to search as often as the settings change. */
class Picture(
    val bitmap: Bitmap,
) {
    val pixels: ArgbImage = StillLoader.pixelsOf(bitmap)

    companion object {
        /** A camera's frame as a photograph. */
        fun of(frame: ArgbImage): Picture = Picture(Bitmap.createBitmap(frame.pixels, frame.width, frame.height, Bitmap.Config.ARGB_8888))

        /**
         * Read the photograph behind [uri] on a thread of its own: the app that provides it may take its time.
         *
         * @param done called on that thread with the picture, or with why there is none
         */
        fun read(
            resolver: ContentResolver,
            uri: Uri,
            done: (Picture?, String) -> Unit,
        ) {
            thread(name = "picture") {
                try {
                    done(Picture(StillLoader.load(resolver, uri)), "")
                } catch (error: DetectorException) {
                    done(null, error.message.orEmpty())
                } catch (error: OutOfMemoryError) {
                    done(null, "the picture is too large for this phone's memory")
                }
            }
        }
    }
}
