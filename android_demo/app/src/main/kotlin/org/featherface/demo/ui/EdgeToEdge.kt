package org.featherface.demo.ui

import android.view.View
import android.widget.LinearLayout

/** Lets the picture reach the screen's edges, as Android 15 asks of every app, and keeps what is read and touched off the system's bars. */
object EdgeToEdge {
    /** @param root holds the picture and [sheet] below or, on its side, beside it */
    @Suppress("DEPRECATION") // the successors exist only from API 30 on
    fun apply(
        root: LinearLayout,
        sheet: View,
        message: View,
    ) {
        val margin = message.paddingLeft
        val isOnItsSide = root.orientation == LinearLayout.HORIZONTAL
        root.systemUiVisibility =
            View.SYSTEM_UI_FLAG_LAYOUT_STABLE or View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN or View.SYSTEM_UI_FLAG_LAYOUT_HIDE_NAVIGATION
        root.setOnApplyWindowInsetsListener { _, bars ->
            val top = bars.systemWindowInsetTop
            root.setPadding(bars.systemWindowInsetLeft, if (isOnItsSide) top else 0, bars.systemWindowInsetRight, 0)
            sheet.setPadding(0, 0, 0, bars.systemWindowInsetBottom)
            message.setPadding(margin, margin + if (isOnItsSide) 0 else top, margin, margin)
            bars.consumeSystemWindowInsets()
        }
    }
}
