package org.featherface.demo.app

import org.featherface.demo.NativeLibrary
import org.junit.runners.model.FrameworkMethod
import org.robolectric.RobolectricTestRunner
import org.robolectric.internal.bytecode.InstrumentationConfiguration

/** Robolectric with one thing shared by all its Androids and the plain tests: a library can be loaded only once in a process. */
class AppTestRunner(
    test: Class<*>,
) : RobolectricTestRunner(test) {
    override fun createClassLoaderConfig(method: FrameworkMethod): InstrumentationConfiguration =
        InstrumentationConfiguration
            .Builder(super.createClassLoaderConfig(method))
            .doNotAcquireClass(NativeLibrary::class.java.name)
            .build()
}
