package org.featherface.demo.detector

import org.featherface.demo.NativeLibrary
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * The C twin of [YuvSampler]: writes a camera frame straight from the camera's planes into the tensor.
 *
 * Holds the tables of one [SamplingPlan] as the C side reads them. Not safe for two threads at once.
 */
internal class NativePlan private constructor(
    private val workspace: ByteBuffer,
) {
    /**
     * Write [image] into [tensor].
     *
     * @return false if its planes are not in direct memory, or smaller than their layout says
     */
    fun write(
        image: YuvImage,
        tensor: ByteBuffer,
        type: ElementType,
    ): Boolean {
        val luma = image.planes[0]
        val blue = image.planes[1]
        val red = image.planes[2]
        if (luma == null || blue == null || red == null) return false
        return NativeLibrary.write(workspace, luma, blue, red, tensor, type.ordinal) == 0
    }

    companion object {
        // The places in the workspace. Source: src/main/c/sampler.h.
        private const val HEADER = 16

        /** Lay out the tables of [plan], which suits [image]. */
        fun of(
            spec: DetectorSpec,
            plan: SamplingPlan,
            image: YuvImage,
        ): NativePlan {
            val fit = plan.letterbox
            val chromaRow = (image.width + 1) / 2 * image.chromaPixelStride
            val bytes = NativeLibrary.workspaceBytes(fit.contentWidth, fit.contentHeight, image.width, chromaRow)
            val workspace = ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder())
            val ints = workspace.asIntBuffer()
            val (red, green, blue) = spec.padRgb
            val sideways = if (image.rotation.isSideways) 1 else 0
            ints.put(intArrayOf(spec.inputWidth, spec.inputHeight, fit.contentWidth, fit.contentHeight, sideways))
            ints.put((red shl 16) or (green shl 8) or blue)
            ints.position(HEADER)
            ints
                .put(plan.columnFirst)
                .put(plan.columnSecond)
                .put(plan.columns.firstWeight)
                .put(plan.columns.secondWeight)
            ints.put(plan.chromaColumn)
            ints
                .put(plan.rowFirst)
                .put(plan.rowSecond)
                .put(plan.rows.firstWeight)
                .put(plan.rows.secondWeight)
            ints.put(plan.chromaRow)
            check(NativeLibrary.prepare(workspace) == 0) { "a workspace of $bytes bytes is too small" }
            return NativePlan(workspace)
        }
    }
}
