package org.featherface.demo.benchmark

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.Debug
import android.os.PowerManager
import android.os.Process
import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.io.IOException

/** What the phone says about itself; what it does not say is null, never a guess. */
class DeviceFacts(
    private val context: Context,
) {
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
        val cores = File("/sys/devices/system/cpu").list { _, name -> name.matches(Regex("cpu[0-9]+")) }?.size
        val count = cores?.takeIf { it > 0 } ?: Runtime.getRuntime().availableProcessors()
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

    private fun maxFrequency(core: Int): Long? =
        try {
            File("/sys/devices/system/cpu/cpu$core/cpufreq/cpuinfo_max_freq").readText().trim().toLongOrNull()
        } catch (error: IOException) {
            null
        }

    private fun memoryBytes(): Long {
        val info = ActivityManager.MemoryInfo()
        (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(info)
        return info.totalMem
    }
}
