package org.featherface.demo.benchmark

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.content.pm.ApplicationInfo
import android.os.BatteryManager
import android.os.Build
import android.os.Debug
import android.os.PowerManager
import android.os.Process
import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.io.IOException

/**
 * What the phone says about itself; what it does not say is null, never a guess.
 *
 * @param root where `proc` and `sys` are
 */
class DeviceFacts(
    private val context: Context,
    private val root: File = File("/"),
) {
    /** Whether a debugger may attach: ART then inlines nothing. */
    val isDebuggable: Boolean get() = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0

    /** Bytes of the app's own code that were compiled ahead of time and are mapped now; 0: it is interpreted or compiled as it runs. */
    fun compiledCodeBytes(): Long? {
        val maps = read("proc/self/maps")?.lines() ?: return null
        return maps.mapNotNull(MAPPED::matchEntire).filter { context.packageName in it.groupValues[3] }.sumOf {
            it.groupValues[2].toLong(16) - it.groupValues[1].toLong(16)
        }
    }

    /** The group of processors that Android gives the app now, for instance `/top-app`. */
    fun cpuset(): String? = read("proc/self/cpuset")?.trim()?.takeIf { it.isNotEmpty() }

    /** The processors that the calling thread may run on, for instance `4-7`. */
    fun processors(): String? =
        read("proc/self/task/${Process.myTid()}/status")
            ?.lines()
            ?.firstOrNull { it.startsWith(ALLOWED) }
            ?.removePrefix(ALLOWED)
            ?.trim()

    /** The clock of each core in kHz, now. */
    fun clocks(): List<Long?> = List(cores()) { read("sys/devices/system/cpu/cpu$it/cpufreq/scaling_cur_freq")?.trim()?.toLongOrNull() }

    /** The result's `app`. */
    fun app(runtime: String): JSONObject {
        val info = context.packageManager.getPackageInfo(context.packageName, 0)

        @Suppress("DEPRECATION") // its successor exists only from API 28 on
        val code = info.versionCode
        return JSONObject()
            .put("package", context.packageName)
            .put("version_name", info.versionName ?: JSONObject.NULL)
            .put("version_code", code)
            .put("runtime", runtime)
    }

    /** The result's `device`. */
    fun device(): JSONObject {
        val count = cores()
        return JSONObject()
            .put("manufacturer", Build.MANUFACTURER)
            .put("model", Build.MODEL)
            .put("device", Build.DEVICE)
            .put("board", Build.BOARD)
            .put("hardware", Build.HARDWARE)
            .put("soc_manufacturer", if (Build.VERSION.SDK_INT >= 31) Build.SOC_MANUFACTURER else JSONObject.NULL)
            .put("soc_model", if (Build.VERSION.SDK_INT >= 31) Build.SOC_MODEL else JSONObject.NULL)
            .put("abis", JSONArray(Build.SUPPORTED_ABIS.toList()))
            .put("process_64_bit", Process.is64Bit())
            .put("android_release", Build.VERSION.RELEASE)
            .put("sdk", Build.VERSION.SDK_INT)
            .put("build_fingerprint", Build.FINGERPRINT)
            .put("cores", count)
            .put("max_frequency_khz", JSONArray(List(count) { maxFrequency(it) ?: JSONObject.NULL }))
            .put("memory_bytes", memoryBytes())
    }

    /** The result's `memory`, now. */
    fun memory(): JSONObject {
        val info = Debug.MemoryInfo().also(Debug::getMemoryInfo)
        val runtime = Runtime.getRuntime()
        return JSONObject()
            .put("pss_bytes", info.totalPss * 1024L)
            .put("native_heap_bytes", Debug.getNativeHeapAllocatedSize())
            .put("java_heap_bytes", runtime.totalMemory() - runtime.freeMemory())
    }

    /** 0 (none) to 6 (shutdown); null where Android does not tell. */
    fun thermalStatus(): Int? =
        if (Build.VERSION.SDK_INT >= 29) (context.getSystemService(Context.POWER_SERVICE) as PowerManager).currentThermalStatus else null

    /** Temperature, level and charging state, now. */
    fun battery(): JSONObject {
        val state = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val temperature = state?.number(BatteryManager.EXTRA_TEMPERATURE)
        val level = state?.number(BatteryManager.EXTRA_LEVEL)
        val scale = state?.number(BatteryManager.EXTRA_SCALE)
        val plugged = state?.number(BatteryManager.EXTRA_PLUGGED)
        return JSONObject()
            .put("temperature_c", temperature?.let { it / 10.0 } ?: JSONObject.NULL)
            .put("level_percent", if (level == null || scale == null || scale == 0) JSONObject.NULL else 100 * level / scale)
            .put("charging", plugged?.let { it != 0 } ?: JSONObject.NULL)
    }

    private fun Intent.number(name: String): Int? = if (hasExtra(name)) getIntExtra(name, 0) else null

    private fun cores(): Int {
        val found = File(root, "sys/devices/system/cpu").list { _, name -> name.matches(Regex("cpu[0-9]+")) }?.size
        return found?.takeIf { it > 0 } ?: Runtime.getRuntime().availableProcessors()
    }

    private fun maxFrequency(core: Int): Long? = read("sys/devices/system/cpu/cpu$core/cpufreq/cpuinfo_max_freq")?.trim()?.toLongOrNull()

    private fun read(path: String): String? =
        try {
            File(root, path).readText()
        } catch (error: IOException) {
            null
        }

    private fun memoryBytes(): Long {
        val info = ActivityManager.MemoryInfo()
        (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(info)
        return info.totalMem
    }

    private companion object {
        const val ALLOWED = "Cpus_allowed_list:"

        /** An executable part of a compiled file: begin, end, path. Source: Linux, proc_pid_maps(5). */
        val MAPPED = Regex("([0-9a-f]+)-([0-9a-f]+) r.x. \\S+ \\S+ \\S+ +(\\S+\\.odex)")
    }
}
