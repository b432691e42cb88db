// What Android Studio opens. It needs Google's Maven repository; `make android` needs neither that nor the Android SDK.
plugins {
    alias(libs.plugins.android.application)
}

android {
    namespace = "org.featherface.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "org.featherface.demo"
        minSdk = 24
        // From 36 on, Android 16 no longer calls onBackPressed, which takes a picture back to the camera.
        targetSdk = 35
        versionCode = 1
        versionName = "1.0"
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a") }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    // The models are mapped straight from the APK.
    androidResources { noCompress += "tflite" }

    testOptions {
        unitTests {
            isIncludeAndroidResources = true
            all { it.systemProperty("featherface.golden", rootDir.resolve("../tests/golden").path) }
        }
    }
}

kotlin {
    compilerOptions {
        jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11
    }
}

// Robolectric's own androidx classes are within reach here.
tasks.withType<org.jetbrains.kotlin.gradle.tasks.KotlinCompile>().configureEach { exclude("androidx/**") }

dependencies {
    implementation(libs.litert)
    implementation(libs.litert.gpu)
    implementation(libs.litert.gpu.api)
    testImplementation(libs.junit)
    testImplementation(libs.json)
    testImplementation(libs.robolectric)
    testImplementation(libs.jna)
}
