package org.featherface.demo.ui

import android.app.Activity
import android.view.View

/** The view called [id], which the layout must hold (`requireViewById` exists only from API 28 on). */
internal fun <T : View> View.find(id: Int): T = checkNotNull(findViewById<T>(id)) { "the layout lacks view $id" }

/** The view called [id], which the layout must hold. */
internal fun <T : View> Activity.find(id: Int): T = window.decorView.find(id)
