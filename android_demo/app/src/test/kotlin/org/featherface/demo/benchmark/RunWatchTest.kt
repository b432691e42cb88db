package org.featherface.demo.benchmark

import android.content.pm.ApplicationInfo
import org.featherface.demo.app.AppTest
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import java.io.File

/** What makes a figure of a run misleading is said beside it. */
class RunWatchTest : AppTest() {
    private val application = RuntimeEnvironment.getApplication()
    private val root = File(application.filesDir, "root")
    private val leavings = mutableListOf<Double>()

    @Before
    fun aPhone() {
        application.applicationInfo.flags = application.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE.inv()
        write("proc/self/cpuset", "/top-app\n")
        write("proc/self/maps", "7a00000000-7a00005000 r-xp 00000000 fd:03 1 /data/app/org.featherface.demo-1/oat/arm64/base.odex\n")
        for (core in 0..1) write("sys/devices/system/cpu/cpu$core/cpufreq/scaling_cur_freq", "${1_000_000 + core}\n")
    }

    @Test
    fun aCleanRunHasNoFlags() {
        val result = report()
        assertEquals(emptyList<String>(), flags(result))
        val conditions = result.getJSONObject("conditions")
        assertEquals(false, conditions.getBoolean("debuggable"))
        assertEquals(0x5000, conditions.getInt("compiled_code_bytes"))
        assertEquals("/top-app", conditions.getJSONObject("cpuset").getString("end"))
    }

    @Test
    fun aDebuggableAppIsFlagged() {
        application.applicationInfo.flags = application.applicationInfo.flags or ApplicationInfo.FLAG_DEBUGGABLE
        assertTrue(flags(report()).single().contains("debuggable"))
    }

    @Test
    fun codeThatWasNotCompiledIsFlagged() {
        write("proc/self/maps", "7a00000000-7a00005000 r-xp 00000000 fd:03 1 /system/framework/oat/arm64/services.odex\n")
        assertTrue(flags(report()).single().contains("not compiled"))
    }

    @Test
    fun aRunInTheBackgroundIsFlagged() {
        val watch = RunWatch(facts()) { leavings }
        write("proc/self/cpuset", "/background\n")
        leavings += 12.4
        val flags = flags(watch.report(result()))
        assertEquals(2, flags.size)
        assertTrue(flags[0].contains("/background"))
        assertTrue(flags[1].contains("after 12 s"))
    }

    @Test
    fun heatInAnyMinuteIsFlagged() {
        val result = result()
        val minutes = result.getJSONObject("latency").getJSONArray("per_minute")
        minutes.put(JSONObject().put("thermal_status", 2))
        assertTrue(flags(RunWatch(facts()) { leavings }.report(result)).single().contains("thermal status 2"))
    }

    @Test
    fun aDelegateThatTookNothingIsFlagged() {
        val result = result(after = 141)
        assertTrue(flags(RunWatch(facts()) { leavings }.report(result)).single().contains("none of the model's operators"))
        result.getJSONObject("settings").put("delegate", "cpu_reference")
        assertEquals(emptyList<String>(), flags(RunWatch(facts()) { leavings }.report(result)))
    }

    @Test
    fun aMinuteHasItsClocks() {
        val minute = RunWatch(facts()) { leavings }.minute()
        assertEquals(listOf(1_000_000, 1_000_001), List(2) { minute.getJSONArray("clock_khz").getInt(it) })
    }

    @Test
    fun whatThePhoneDoesNotTellIsNull() {
        root.deleteRecursively()
        val conditions = report().getJSONObject("conditions")
        for (name in listOf("compiled_code_bytes", "processors")) assertTrue(name, conditions.isNull(name))
        assertTrue(conditions.getJSONObject("cpuset").isNull("start"))
    }

    private fun facts() = DeviceFacts(application, root)

    private fun report() = RunWatch(facts()) { leavings }.report(result())

    private fun result(after: Int = 8) =
        JSONObject(
            """{"settings": {"delegate": "cpu"}, "model": {"operators": {"in_file": 141, "after_delegate": $after}},
                "latency": {"per_minute": []}}""",
        )

    private fun flags(result: JSONObject) = result.getJSONArray("flags").let { rows -> List(rows.length()) { rows.getString(it) } }

    private fun write(
        path: String,
        text: String,
    ) = File(root, path).run {
        parentFile?.mkdirs()
        writeText(text)
    }
}
