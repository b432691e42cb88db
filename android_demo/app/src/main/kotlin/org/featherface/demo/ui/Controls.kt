package org.featherface.demo.ui

import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.Switch
import android.widget.TextView
import org.featherface.demo.R
import org.featherface.demo.detector.Delegate

/** The sheet of controls below the picture, which can be closed. */
class Controls(
    private val root: View,
    private val model: DemoModel,
    openPicture: () -> Unit,
    openModel: () -> Unit,
    removeModel: () -> Unit,
    measure: () -> Unit,
) {
    private val body: View = root.find(R.id.controls)
    private val toggle: View = root.find(R.id.toggle_controls)
    private val steady: Switch = root.find(R.id.steady)
    private val twin: Switch = root.find(R.id.twin)
    private val models: Spinner = root.find(R.id.model)
    private val delegates: Spinner = root.find(R.id.delegate)
    private val threads: Spinner = root.find(R.id.threads)
    private val threshold: SeekBar = root.find(R.id.threshold)
    private val thresholdValue: TextView = root.find(R.id.threshold_value)
    private val camera: Button = root.find(R.id.camera)

    /** Most phones gain nothing from more. */
    private val threadCounts = (1..Runtime.getRuntime().availableProcessors().coerceIn(1, 8)).toList()

    private val remove: View = root.find(R.id.remove_model)
    private val compare: Button = root.find(R.id.compare)
    private var shownModels = listOf<String>()
    private var shownLabels = listOf<String>()

    init {
        fill(
            delegates,
            listOf(R.string.processor_cpu, R.string.processor_cpu_reference, R.string.processor_gpu).map(root.resources::getString),
        ) {
            change(delegate = Delegate.entries[it])
        }
        fill(
            threads,
            threadCounts.map { root.resources.getQuantityString(R.plurals.thread_count, it, it) },
        ) { change(threads = threadCounts[it]) }
        threshold.setOnSeekBarChangeListener(ThresholdListener())
        camera.setOnClickListener {
            if (model.still != null) model.showStill(null) else model.change(model.settings.copy(frontCamera = !model.settings.frontCamera))
        }
        root.find<View>(R.id.open_picture).setOnClickListener { openPicture() }
        root.find<View>(R.id.open_model).setOnClickListener { openModel() }
        remove.setOnClickListener { removeModel() }
        compare.setOnClickListener { model.compare() }
        root.find<View>(R.id.measure).setOnClickListener { measure() }
        root.find<View>(R.id.sheet_head).setOnClickListener { toggle() }
        toggle.setOnClickListener { toggle() }
        steady.setOnCheckedChangeListener { _, isOn -> model.change(model.settings.copy(isSteady = isOn)) }
        twin.setOnCheckedChangeListener { _, isOn -> model.change(model.settings.copy(isTwinWatching = isOn)) }
    }

    private fun toggle() = model.change(model.settings.copy(showsControls = !model.settings.showsControls))

    /** Show the settings in force. */
    fun render() {
        val settings = model.settings
        fillModels()
        models.setSelection(model.modelNames.indexOf(settings.model).coerceAtLeast(0))
        delegates.setSelection(settings.options.delegate.ordinal)
        threads.setSelection(threadCounts.indexOf(settings.options.threads).coerceAtLeast(0))
        val percent = Math.round(model.scoreThreshold * 100)
        if (!threshold.isPressed) threshold.progress = percent
        thresholdValue.text = root.resources.getString(R.string.threshold, percent)
        camera.setText(if (model.still != null) R.string.back_to_camera else R.string.switch_camera)
        camera.visibility = if (model.still != null || model.hasBothCameras) View.VISIBLE else View.INVISIBLE
        remove.visibility = if (model.isOwnModel) View.VISIBLE else View.GONE
        for (view in listOf(compare, twin)) view.visibility = if (model.hasTwin) View.VISIBLE else View.GONE
        compare.isEnabled = model.canCompare
        twin.isChecked = settings.isTwinWatching
        compare.setText(if (model.state is UiState.Compared) R.string.end_comparison else R.string.compare)
        steady.isChecked = settings.isSteady
        body.visibility = if (settings.showsControls) View.VISIBLE else View.GONE
        toggle.rotation = if (settings.showsControls) 0f else 180f
        toggle.contentDescription = root.resources.getString(if (settings.showsControls) R.string.hide_controls else R.string.show_controls)
    }

    private fun fillModels() {
        val labels = model.modelLabels
        if (model.modelNames == shownModels && labels == shownLabels) return
        shownModels = model.modelNames
        shownLabels = labels
        fill(models, labels) { position ->
            // An empty list reports a selection, too.
            shownModels.getOrNull(position)?.let { model.change(model.settings.copy(model = it)) }
        }
    }

    private fun change(
        threads: Int = model.settings.options.threads,
        delegate: Delegate = model.settings.options.delegate,
    ) {
        val settings = model.settings
        model.change(settings.copy(options = settings.options.copy(threads = threads, delegate = delegate)))
    }

    private fun fill(
        spinner: Spinner,
        labels: List<String>,
        choose: (Int) -> Unit,
    ) {
        val adapter = ArrayAdapter(spinner.context, R.layout.choice, labels)
        adapter.setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
        spinner.adapter = adapter
        spinner.onItemSelectedListener =
            object : AdapterView.OnItemSelectedListener {
                override fun onItemSelected(
                    parent: AdapterView<*>?,
                    view: View?,
                    position: Int,
                    id: Long,
                ) = choose(position)

                override fun onNothingSelected(parent: AdapterView<*>?) = Unit
            }
    }

    private inner class ThresholdListener : SeekBar.OnSeekBarChangeListener {
        override fun onProgressChanged(
            bar: SeekBar?,
            progress: Int,
            fromUser: Boolean,
        ) {
            if (fromUser) model.change(model.settings.copy(scoreThreshold = progress / 100f))
        }

        override fun onStartTrackingTouch(bar: SeekBar?) = Unit

        override fun onStopTrackingTouch(bar: SeekBar?) = Unit
    }
}
