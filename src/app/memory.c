/*
 * What is freed goes back to the system. While a capture goes on, one view of it takes the place of another, some megabytes
 * at a time, made by one thread and freed by another. The C library of GNU learns from such blocks to keep all of up to 32 MB,
 * in an arena for each thread, and an hour of it holds three times what is in use. A fixed limit, the one that it begins with,
 * returns them; what is smaller stays as fast as it was.
 *
 * Linked into the program only, not into the library; see `src/build.rs`.
 */

#ifdef __linux__

#include <stdlib.h>

#ifdef __GLIBC__

#include <malloc.h>

enum { LARGE = 128 * 1024 };

__attribute__((constructor)) static void return_large_blocks(void) {
  (void)mallopt(M_MMAP_THRESHOLD, LARGE);
  (void)mallopt(M_TRIM_THRESHOLD, LARGE);
}

#endif
#endif
