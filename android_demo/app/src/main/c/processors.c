// Which processors a thread may run on. Java has no call for it, and a release build lets nobody else set it.
//
// Straight to the kernel, because there is no C library here. Source: Linux, sched_setaffinity(2); the numbers of
// the call are those of asm-generic/unistd.h (arm64), arch/arm and arch/x86.

#include <stdint.h>

#if defined(__aarch64__)
static long set_affinity(unsigned long bytes, const void *mask) {
    register long number __asm__("x8") = 122;
    register long thread __asm__("x0") = 0;
    register unsigned long size __asm__("x1") = bytes;
    register const void *at __asm__("x2") = mask;
    __asm__ volatile("svc 0" : "+r"(thread) : "r"(number), "r"(size), "r"(at) : "memory");
    return thread;
}
#elif defined(__arm__)
static long set_affinity(unsigned long bytes, const void *mask) {
    register long number __asm__("r7") = 241;
    register long thread __asm__("r0") = 0;
    register unsigned long size __asm__("r1") = bytes;
    register const void *at __asm__("r2") = mask;
    __asm__ volatile("svc 0" : "+r"(thread) : "r"(number), "r"(size), "r"(at) : "memory");
    return thread;
}
#else
static long set_affinity(unsigned long bytes, const void *mask) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(203L), "D"(0L), "S"(bytes), "d"(mask) : "rcx", "r11", "memory");
    return result;
}
#endif

/// Bind the calling thread, and all that it will start, to the processors whose bits are set. 0, or the kernel's -errno.
__attribute__((visibility("default"))) int32_t Java_org_featherface_demo_NativeLibrary_setAffinity(
    void *env, void *self, int64_t mask) {
    (void)env, (void)self;
    return (int32_t)set_affinity(sizeof mask, &mask);
}
