package org.featherface.demo.benchmark

import android.content.Context
import android.os.Handler
import android.os.Looper
import android.os.PowerManager
import android.os.Process
import android.util.Log
import org.featherface.demo.Wiring
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.runtime.Sha256
import org.json.JSONArray
import org.json.JSONObject
import java.io.File
import java.io.IOException
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicBoolean

/** What the benchmark's screen shows. */
sealed interface BenchmarkState {
    data object Idle : BenchmarkState

    data object Ready : BenchmarkState

    data class Running(
        val runId: String,
        val task: Task?,
        val done: Int,
        val total: Int,
    ) : BenchmarkState

    data class Done(
        val runId: String,
        val result: File,
    ) : BenchmarkState

    data class Failed(
        val message: String,
    ) : BenchmarkState
}

/** The process's one benchmark: runs on its own thread, whatever happens to the screen, and speaks to logcat. */
object BenchmarkSession {
    const val TAG = "FeatherFaceBenchmark"
    private const val WAKE_MARGIN_MS = 10 * 60_000L
    private const val PROGRESS_INTERVAL = 1_000_000_000L

    private val main = Handler(Looper.getMainLooper())
    private val running = AtomicBoolean(false)
    private var listener: (() -> Unit)? = null
    private val leavings = CopyOnWriteArrayList<Double>()

    @Volatile private var began = 0L

    @Volatile var state: BenchmarkState = BenchmarkState.Idle
        private set

    /** Whether a run is going on. */
    val isRunning: Boolean get() = running.get()

    /** Call [changed] on the main thread after every change of [state]; null ends that. */
    fun listen(changed: (() -> Unit)?) {
        listener = changed
    }

    /** The screen of the run that goes on is no longer seen: Android may now slow it down. */
    fun leave() {
        if (running.get()) leavings += (System.nanoTime() - began) / 1e9
    }

    /** Create the folders, say where they are, and in which of them the host's greeting can be read. */
    fun prepare(context: Context) {
        try {
            val folders = Root.entries.associateWith { folderOf(context, it) }
            val heard = mutableListOf<String>()
            for ((root, folder) in folders) {
                folder?.prepare()
                folder?.greet()
                if (folder?.hearsTheHost() == true) heard += root.label
            }
            val line = JSONObject()
            for ((root, folder) in folders) line.put("${root.label}_root", folder?.root?.path ?: JSONObject.NULL)
            say("READY", line.put("heard", JSONArray(heard)).put("pid", Process.myPid()))
            become(BenchmarkState.Ready)
        } catch (error: DetectorException) {
            fail(null, error.message.orEmpty())
        }
    }

    /** Begin the run that [extras] describe; refuses a second one at a time. */
    fun start(
        context: Context,
        extras: Map<String, Any?>,
    ) {
        val runId = BenchmarkRequest.runIdOf(extras)
        if (!running.compareAndSet(false, true)) {
            say("FAILED", JSONObject().put("run_id", runId ?: JSONObject.NULL).put("error", "another run is going on"))
            return
        }
        leavings.clear()
        began = System.nanoTime()
        become(BenchmarkState.Running(runId.orEmpty(), null, 0, 0))
        Thread({ runAndReport(context.applicationContext, extras, runId) }, "benchmark").start()
    }

    private fun runAndReport(
        context: Context,
        extras: Map<String, Any?>,
        runId: String?,
    ) {
        Process.setThreadPriority(Process.THREAD_PRIORITY_DISPLAY)
        val wakeLock = (context.getSystemService(Context.POWER_SERVICE) as PowerManager).newWakeLock(PowerManager.PARTIAL_WAKE_LOCK, TAG)
        var request: BenchmarkRequest? = null
        var folder = readable(context)
        var runner = runnerOf(context, folder)
        try {
            request = BenchmarkRequest.of(extras)
            wakeLock.acquire(request.maxSeconds * 1000L + WAKE_MARGIN_MS)
            folder = folderOf(context, request)
            folder.prepare()
            runner = runnerOf(context, folder)
            finish(context, folder, request.runId, runner.run(request, Events(request)))
        } catch (error: Throwable) {
            // Whatever it is: the host waits for a line that ends the run, and for its result.
            val problem = problemOf(error)
            saveFailure(context, folder, runId) { runner.failure(request, it, problem) }
            fail(runId, problem)
        } finally {
            if (wakeLock.isHeld) wakeLock.release()
            running.set(false)
        }
    }

    private fun runnerOf(
        context: Context,
        folder: BenchmarkFolder,
    ) = BenchmarkRunner(folder, Wiring.factory, DeviceFacts(context), leavings = { leavings.toList() })

    private fun problemOf(error: Throwable): String =
        when (error) {
            is DetectorException -> {
                error.message.orEmpty()
            }

            is OutOfMemoryError -> {
                "out of memory: use smaller or fewer images"
            }

            is IOException -> {
                "a file cannot be read: ${error.message}"
            }

            else -> {
                Log.e(TAG, "a bug in the app", error)
                "a bug in the app: $error; its trace is in logcat above"
            }
        }

    private fun finish(
        context: Context,
        folder: BenchmarkFolder,
        runId: String,
        result: JSONObject,
    ) {
        val bytes = bytesOf(result)
        val readable = save(context, folder, runId, bytes)
        val line = JSONObject().put("run_id", runId).put("result", readable.path).put("bytes", bytes.size)
        become(BenchmarkState.Done(runId, readable))
        say("DONE", line.put("sha256", Sha256.of(bytes)))
    }

    private fun saveFailure(
        context: Context,
        folder: BenchmarkFolder,
        runId: String?,
        result: (String) -> JSONObject,
    ) {
        if (runId == null) return
        try {
            save(context, folder, runId, bytesOf(result(runId)))
        } catch (error: Throwable) {
            // What ended the run may end this too (no memory, no storage), but not the line that says so.
            Log.w(TAG, "the failure cannot be written: $error")
        }
    }

    /**
     * Write a result to [folder], and if that is the app's own to one that adb can read.
     *
     * @return the file that `adb pull` can read, if there is one
     */
    private fun save(
        context: Context,
        folder: BenchmarkFolder,
        runId: String,
        bytes: ByteArray,
    ): File {
        val isInternal = folder.root == folderOf(context, Root.INTERNAL)?.root
        val folders = if (isInternal) listOf(folder, readable(context)).distinctBy { it.root } else listOf(folder)
        for (each in folders) {
            each.prepare()
            each.write(each.result(runId), bytes)
        }
        return folders.last().result(runId)
    }

    private fun bytesOf(result: JSONObject): ByteArray = (result.toString(1) + "\n").toByteArray()

    private fun fail(
        runId: String?,
        message: String,
    ) {
        become(BenchmarkState.Failed(message))
        say("FAILED", JSONObject().put("run_id", runId ?: JSONObject.NULL).put("error", message.replace("\n", " ")))
    }

    private fun folderOf(
        context: Context,
        request: BenchmarkRequest,
    ): BenchmarkFolder =
        folderOf(context, request.root)
            ?: throw DetectorException("this phone has no ${request.root.label} storage now: pass --es root internal")

    private fun folderOf(
        context: Context,
        root: Root,
    ): BenchmarkFolder? {
        val place =
            when (root) {
                Root.MEDIA -> Wiring.sharedFolder(context)
                Root.EXTERNAL -> context.getExternalFilesDir(null)
                Root.INTERNAL -> context.filesDir
            }
        return place?.let { BenchmarkFolder(File(it, BenchmarkFolder.NAME)) }
    }

    /** The first place that adb can read, if there is one. */
    private fun readable(context: Context): BenchmarkFolder =
        folderOf(context, Root.EXTERNAL) ?: folderOf(context, Root.MEDIA) ?: checkNotNull(folderOf(context, Root.INTERNAL))

    private fun become(next: BenchmarkState) {
        state = next
        main.post { listener?.invoke() }
    }

    private fun say(
        word: String,
        facts: JSONObject,
    ) {
        // JSONObject writes "\/" for a slash; both are the same JSON, but people read these lines too.
        Log.i(TAG, "$word ${facts.toString().replace("\\/", "/")}")
    }

    private class Events(
        private val request: BenchmarkRequest,
    ) : BenchmarkEvents {
        private val start = System.nanoTime()
        private var last = 0L

        override fun started(
            request: BenchmarkRequest,
            modelSha256: String,
        ) = say("STARTED", JSONObject().put("run_id", request.runId).put("pid", Process.myPid()).put("model_sha256", modelSha256))

        override fun report(
            task: Task,
            done: Int,
            total: Int,
        ) {
            val now = System.nanoTime()
            if (now - last < PROGRESS_INTERVAL) return
            last = now
            become(BenchmarkState.Running(request.runId, task, done, total))
            val line =
                JSONObject()
                    .put("run_id", request.runId)
                    .put("task", task.label)
                    .put("done", done)
                    .put("total", total)
            say("PROGRESS", line.put("seconds", Math.round((now - start) / 1e8) / 10.0))
        }
    }
}
