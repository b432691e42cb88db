package org.featherface.demo.runtime

import org.featherface.demo.app.GOLDEN
import org.featherface.demo.app.ScriptedModels
import org.featherface.demo.app.tinyFile
import org.featherface.demo.detector.DetectorException
import org.featherface.demo.detector.Golden
import org.featherface.demo.detector.jsonOf
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.io.IOException

class OwnModelsTest {
    @get:Rule
    val temporary = TemporaryFolder()
    private val folder by lazy { File(temporary.root, "models") }
    private val models by lazy { OwnModels(folder, ScriptedModels("packed.tflite")) }
    private val spec = """{"spec": ${jsonOf(Golden(GOLDEN).spec)}}"""

    @Test
    fun beforeTheFirstThereAreThePackedOnes() = assertEquals(listOf("packed.tflite"), models.names())

    @Test
    fun aModelWithItsSpecIsKept() {
        assertEquals("mine.tflite", models.add(listOf(file("mine.tflite.json", spec), model("mine.tflite"))))
        assertEquals(listOf("mine.tflite", "packed.tflite"), models.names())
        assertEquals(16L, models.bytes("mine.tflite"))
        assertEquals("mine.tflite" to "sidecar", models.open("mine.tflite").run { name to specSource })
        assertEquals("after a restart", models.names(), OwnModels(folder, ScriptedModels("packed.tflite")).names())
        assertEquals("packed.tflite", models.open("packed.tflite").name)
    }

    @Test
    fun ofTwoModelsOfOneNameTheNewerCounts() {
        models.add(listOf(model("packed.tflite"), file("spec.json", spec)))
        models.add(listOf(model("packed.tflite"), file("spec.json", spec.replace("\"network\": \"", "\"network\": \"newer_"))))
        assertEquals(listOf("packed.tflite"), models.names())
        assertTrue(
            models
                .open("packed.tflite")
                .spec.network
                .startsWith("newer_"),
        )
    }

    @Test
    fun whatIsNoModelIsRefusedAndNothingKept() {
        models.add(listOf(model("kept.tflite"), file("kept.json", spec)))
        val before = folder.list()!!.sorted()
        val broken = PickedFile("b.tflite") { throw IOException("the card is gone") }
        val wrong =
            mapOf(
                listOf<PickedFile>() to "expected one .tflite file",
                listOf(file("a.json", spec)) to "expected one .tflite file",
                listOf(model("a.tflite"), model("b.tflite")) to "expected one .tflite file",
                listOf(model("a.tflite"), file("cat.jpg", "")) to "expected one .tflite file",
                listOf(model("a.tflite")) to "a.tflite carries no featherface_spec metadata and no a.tflite.json is with it",
                listOf(model("kept.tflite"), file("a.json", "{}")) to "kept.tflite.json: ",
                listOf(file("a.tflite", "no model"), file("a.json", spec)) to "not a TFLite file",
                listOf(model("../a.tflite"), file("a.json", spec)) to "no file's name",
                listOf(broken) to "b.tflite cannot be read: the card is gone",
                listOf(PickedFile("c.tflite") { throw SecurityException("not yours") }) to "not yours",
            )
        for ((files, message) in wrong) {
            val error = assertThrows(message, DetectorException::class.java) { models.add(files) }
            assertTrue(error.message, error.message!!.contains(message))
        }
        assertArrayEquals(before.toTypedArray(), folder.list()!!.sortedArray())
        assertEquals("sidecar", models.open("kept.tflite").specSource)
    }

    @Test
    fun aRemovedOneIsGoneAndThePackedOneOfItsNameIsBack() {
        models.add(listOf(model("mine.tflite"), file("mine.json", spec)))
        models.add(listOf(model("packed.tflite"), file("spec.json", spec)))
        assertTrue(models.isOwn("packed.tflite"))
        models.remove("mine.tflite")
        models.remove("packed.tflite")
        assertEquals(listOf("packed.tflite"), models.names())
        assertFalse(models.isOwn("packed.tflite"))
        assertEquals("packed.tflite", models.open("packed.tflite").name)
        assertArrayEquals("nothing of them is left", arrayOf<String>(), folder.list())
        assertThrows("only the user's own", DetectorException::class.java) { models.remove("packed.tflite") }
    }

    private fun model(name: String) = PickedFile(name) { tinyFile().array().inputStream() }

    private fun file(
        name: String,
        content: String,
    ) = PickedFile(name) { content.byteInputStream() }
}
