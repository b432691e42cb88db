package org.featherface.demo.ui

import android.Manifest
import android.app.Activity
import android.content.Context
import android.content.pm.PackageManager

/** The app's only permission that the user is asked for. */
object CameraPermission {
    const val REQUEST = 1

    /** Whether the user lets the app use the camera. */
    fun isGiven(context: Context): Boolean = context.checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    /** Show the system's question. */
    fun ask(activity: Activity) = activity.requestPermissions(arrayOf(Manifest.permission.CAMERA), REQUEST)
}
