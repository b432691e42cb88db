/* What the app's TensorFlow Lite asks of Android's C library and glibc does not have, so that the very file of the APK
 * runs on an emulated Linux machine. It is part of the program, where the library finds it before glibc's own.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Android's stdin, stdout and stderr: 152 bytes each, never looked into here. Source: bionic, stdio.h. */
char __sF[3 * 152];

/* Whether a stream is one of Android's three: all of them are stderr here. */
static int is_androids(FILE* stream) { return (char*)stream >= __sF && (char*)stream < __sF + sizeof __sF; }

static FILE* known(FILE* stream) { return is_androids(stream) ? stderr : stream; }

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int* __errno(void) { return &errno; }

size_t __strlen_chk(const char* text, size_t room) {
  (void)room;
  return strlen(text);
}

int __system_property_get(const char* name, char* value) {
  (void)name;
  *value = 0;
  return 0;
}

int vfprintf(FILE* stream, const char* format, va_list values) { return NEXT(vfprintf)(known(stream), format, values); }

int fprintf(FILE* stream, const char* format, ...) {
  va_list values;
  va_start(values, format);
  int written = vfprintf(stream, format, values);
  va_end(values);
  return written;
}

int fputc(int character, FILE* stream) { return NEXT(fputc)(character, known(stream)); }
int fflush(FILE* stream) { return NEXT(fflush)(stream ? known(stream) : stream); }
size_t fwrite(const void* from, size_t size, size_t count, FILE* stream) { return NEXT(fwrite)(from, size, count, known(stream)); }

void android_set_abort_message(const char* message) { fprintf(stderr, "abort: %s\n", message); }

int __android_log_vprint(int priority, const char* tag, const char* format, va_list values) {
  (void)priority;
  fprintf(stderr, "log of %s: ", tag);
  return vfprintf(stderr, format, values) + fprintf(stderr, "\n");
}
