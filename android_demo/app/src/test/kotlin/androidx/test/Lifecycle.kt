// Robolectric needs a few classes of androidx.test:monitor, which only Google's Maven repository carries. These stand in
// for them: the same names and signatures, and as much behaviour as Robolectric asks for. The Gradle build takes the real
// ones and leaves this folder out.
@file:Suppress("ktlint:standard:filename")

package androidx.test.runner.lifecycle

import android.app.Activity

enum class Stage {
    PRE_ON_CREATE,
    CREATED,
    STARTED,
    RESUMED,
    PAUSED,
    STOPPED,
    RESTARTED,
    DESTROYED,
}

enum class ApplicationStage {
    PRE_ON_CREATE,
    CREATED,
}

fun interface ActivityLifecycleCallback {
    fun onActivityLifecycleChanged(
        activity: Activity,
        stage: Stage,
    )
}

interface ActivityLifecycleMonitor {
    fun addLifecycleCallback(callback: ActivityLifecycleCallback)

    fun removeLifecycleCallback(callback: ActivityLifecycleCallback)

    fun getLifecycleStageOf(activity: Activity): Stage

    fun getActivitiesInStage(stage: Stage): Collection<Activity>
}

interface ApplicationLifecycleMonitor

object ActivityLifecycleMonitorRegistry {
    private var monitor: ActivityLifecycleMonitor? = null

    @JvmStatic
    fun getInstance(): ActivityLifecycleMonitor = checkNotNull(monitor)

    @JvmStatic
    fun registerInstance(instance: ActivityLifecycleMonitor?) {
        monitor = instance
    }
}

object ApplicationLifecycleMonitorRegistry {
    @JvmStatic
    fun registerInstance(
        @Suppress("UNUSED_PARAMETER") instance: ApplicationLifecycleMonitor?,
    ) = Unit
}
