package org.featherface.demo.benchmark

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.view.View
import android.widget.ProgressBar
import android.widget.TextView
import org.featherface.demo.R
import org.featherface.demo.ui.find

/** Takes orders, over adb or from the app itself, and shows how they go; the work belongs to [BenchmarkSession], so the screen may turn or go off. */
class BenchmarkActivity : Activity() {
    private lateinit var progress: ProgressBar
    private lateinit var status: TextView
    private lateinit var cardText: TextView
    private lateinit var share: View

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(R.layout.benchmark)
        if (Build.VERSION.SDK_INT >= 27) {
            setShowWhenLocked(true)
            setTurnScreenOn(true)
        }
        progress = find(R.id.benchmark_progress)
        status = find(R.id.benchmark_status)
        cardText = find(R.id.benchmark_card)
        share = find(R.id.benchmark_share)
        // A rotation brings the same intent again: only the first start counts.
        if (saved == null) take(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        take(intent)
    }

    override fun onStart() {
        super.onStart()
        BenchmarkSession.listen(::render)
        render()
    }

    override fun onStop() {
        if (!isChangingConfigurations) BenchmarkSession.leave()
        BenchmarkSession.listen(null)
        super.onStop()
    }

    private fun take(intent: Intent) {
        val extras = extrasOf(intent)
        when {
            extras.isEmpty() -> Unit
            extras["prepare"] == true -> BenchmarkSession.prepare(this)
            else -> BenchmarkSession.start(this, extras)
        }
    }

    @Suppress("DEPRECATION") // reading a value of unknown type has no successor
    private fun extrasOf(intent: Intent): Map<String, Any?> =
        intent.extras
            ?.let { bundle -> bundle.keySet().associateWith { bundle[it] } }
            .orEmpty()
            .filterKeys { !it.startsWith("android.") } // some systems add their own

    private fun render() {
        val state = BenchmarkSession.state
        render((state as? BenchmarkState.Done)?.result?.let(ResultCard::of))
        progress.visibility = if (state is BenchmarkState.Running) View.VISIBLE else View.INVISIBLE
        progress.isIndeterminate = state is BenchmarkState.Running && state.task == null
        if (state is BenchmarkState.Running) {
            progress.max = state.total
            progress.progress = state.done
        }
        status.text =
            when (state) {
                is BenchmarkState.Idle -> {
                    getString(R.string.benchmark_idle)
                }

                is BenchmarkState.Ready -> {
                    getString(R.string.benchmark_ready)
                }

                is BenchmarkState.Running -> {
                    state.task?.let { getString(R.string.benchmark_running, state.runId, it.label, state.done, state.total) }
                        ?: getString(R.string.benchmark_starting, state.runId)
                }

                is BenchmarkState.Done -> {
                    getString(R.string.benchmark_done, state.runId, state.result.path)
                }

                is BenchmarkState.Failed -> {
                    getString(R.string.benchmark_failed, state.message)
                }
            }
    }

    private fun render(card: ResultCard?) {
        for (view in listOf(cardText, share)) view.visibility = if (card == null) View.GONE else View.VISIBLE
        cardText.text = card?.text
        share.setOnClickListener {
            val sent = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, "${card?.text}\n\n${card?.json}")
            startActivity(Intent.createChooser(sent, getString(R.string.benchmark_share)))
        }
    }
}
