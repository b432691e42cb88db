package org.featherface.demo.benchmark

import org.featherface.demo.detector.Delegate
import org.json.JSONArray
import org.json.JSONObject

/**
 * Watches what a run's figures depend on, and says in plain words what speaks against them. Made when the run starts.
 *
 * @param leavings seconds into the run at which its screen was left
 */
class RunWatch(
    private val facts: DeviceFacts,
    private val leavings: () -> List<Double>,
) {
    private val thermal = facts.thermalStatus()
    private val battery = facts.battery()
    private val cpuset = facts.cpuset()

    /** Clocks and thermal status, now. */
    fun minute(): JSONObject =
        JSONObject()
            .put("clock_khz", JSONArray(facts.clocks().map { it ?: JSONObject.NULL }))
            .put("thermal_status", facts.thermalStatus() ?: JSONObject.NULL)

    /** Add what was seen to [result], whose tasks are done. */
    fun report(result: JSONObject): JSONObject {
        val code = facts.compiledCodeBytes()
        val end = facts.cpuset()
        val conditions =
            JSONObject()
                .put("debuggable", facts.isDebuggable)
                .put("compiled_code_bytes", code ?: JSONObject.NULL)
                .put("cpuset", JSONObject().put("start", cpuset ?: JSONObject.NULL).put("end", end ?: JSONObject.NULL))
                .put("processors", facts.processors() ?: JSONObject.NULL)
                .put("interruptions_s", JSONArray(leavings()))
        val hot = facts.thermalStatus()
        return result
            .put("conditions", conditions)
            .put("thermal_status", JSONObject().put("start", thermal ?: JSONObject.NULL).put("end", hot ?: JSONObject.NULL))
            .put("battery", JSONObject().put("start", battery).put("end", facts.battery()))
            .put("flags", JSONArray(flags(result, code, listOf(cpuset, end), listOfNotNull(thermal, hot))))
    }

    private fun flags(
        result: JSONObject,
        code: Long?,
        cpusets: List<String?>,
        thermals: List<Int>,
    ): List<String> {
        val flags = mutableListOf<String>()
        if (facts.isDebuggable) flags += "the app is debuggable: its code runs slower than its users'"
        if (code == 0L) flags += "the app's code was not compiled: run 'cmd package compile -m speed -f' first"
        val background = cpusets.filterNotNull().filter { it !in FOREGROUND }
        if (background.isNotEmpty()) flags += "the app ran in the cpuset ${background.last()}, not in the foreground's"
        val left = leavings()
        if (left.isNotEmpty()) flags += "the screen was left after ${left.joinToString { "%.0f".format(java.util.Locale.ROOT, it) }} s"
        val worst = (thermals + minutesOf(result).mapNotNull { it.opt("thermal_status") as? Int }).maxOrNull() ?: 0
        if (worst > 0) flags += "the phone throttled: thermal status $worst"
        operatorFlag(result)?.let(flags::add)
        return flags
    }

    private fun minutesOf(result: JSONObject): List<JSONObject> {
        val rows = result.optJSONObject("latency")?.optJSONArray("per_minute") ?: return emptyList()
        return List(rows.length()) { rows.getJSONObject(it) }
    }

    private fun operatorFlag(result: JSONObject): String? {
        val operators = result.optJSONObject("model")?.optJSONObject("operators") ?: return null
        val delegate = result.getJSONObject("settings").getString("delegate")
        val untouched = operators.getInt("after_delegate") == operators.getInt("in_file")
        return "the delegate took none of the model's operators".takeIf { untouched && delegate != Delegate.CPU_REFERENCE.label }
    }

    private companion object {
        /** Cpusets of what a person looks at; a phone without cpusets says "/". Source: Android's task_profiles.json. */
        val FOREGROUND = setOf("/", "/top-app", "/foreground", "/foreground_window")
    }
}
