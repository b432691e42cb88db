package org.featherface.demo.ui

import android.hardware.display.DisplayManager

/** Calls [changed] whenever a display has changed, its rotation included. */
class DisplayTurns(
    private val changed: () -> Unit,
) : DisplayManager.DisplayListener {
    override fun onDisplayAdded(displayId: Int) = Unit

    override fun onDisplayRemoved(displayId: Int) = Unit

    override fun onDisplayChanged(displayId: Int) = changed()
}
