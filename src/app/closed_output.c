/*
 * Standard output that was closed before the program began (`hangup report FILE >&-`). The runtime of Rust opens the sink in
 * its place, so a report would vanish and the exit status say that all is well. This runs before it and puts `/dev/full`
 * there, on which writing fails.
 *
 * Linked into the program only, not into the library; see `src/build.rs`.
 */

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

__attribute__((constructor)) static void keep_closed_output_closed(void) {
  int full;
  if (fcntl(STDOUT_FILENO, F_GETFD) != -1 || errno != EBADF) return;
  full = open("/dev/full", O_WRONLY);
  if (full != -1 && full != STDOUT_FILENO) {
    (void)dup2(full, STDOUT_FILENO);
    (void)close(full);
  }
}

#endif
