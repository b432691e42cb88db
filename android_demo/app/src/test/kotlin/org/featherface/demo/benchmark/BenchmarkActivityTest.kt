package org.featherface.demo.benchmark

import android.Manifest
import android.content.ComponentName
import android.widget.ProgressBar
import org.featherface.demo.R
import org.featherface.demo.app.AppTest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment

class BenchmarkActivityTest : AppTest() {
    @Test
    fun adbMayStartItAndOtherAppsMayNot() {
        val application = RuntimeEnvironment.getApplication()
        val activity = application.packageManager.getActivityInfo(ComponentName(application, BenchmarkActivity::class.java), 0)
        assertTrue(activity.exported)
        assertEquals(Manifest.permission.DUMP, activity.permission)
    }

    @Test
    fun theProgressBarHasAName() {
        val activity = Robolectric.buildActivity(BenchmarkActivity::class.java).setup().get()
        val progress = checkNotNull(activity.findViewById<ProgressBar>(R.id.benchmark_progress))
        assertEquals(activity.getString(R.string.benchmark_title), progress.contentDescription.toString())
    }
}
