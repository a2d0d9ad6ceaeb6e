/*
 * The functions of libpcap that the crate `pcap` calls, each forwarding to the library of the system. It is opened when
 * one of them is called for the first time, so a program that never captures or filters needs no libpcap to start.
 *
 * Built by `src/build.rs` into an archive that has libpcap's name. Without libpcap, or with one that is too old for a
 * function, each function fails in the way that libpcap's documentation gives for it.
 */

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#define WIDE_HANDLE HANDLE
#else
#include <dlfcn.h>
#include <pthread.h>
#endif

#define PCAP_FAILED (-1)           /* PCAP_ERROR */
#define MESSAGE_SIZE 256      /* PCAP_ERRBUF_SIZE */
#define MESSAGE "libpcap is missing, or too old"

typedef void pcap_t, dumper_t, program_t, devices_t, header_t, counts_t, queue_t;
typedef unsigned char byte_t;
typedef void (*handler_t)(byte_t *, const header_t *, const byte_t *);

/* X(result, value on failure, name, parameters, arguments) */
#define FUNCTIONS(X, V) \
  X(int, PCAP_FAILED, pcap_set_snaplen, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_promisc, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_timeout, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_buffer_size, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_rfmon, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_tstamp_type, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_immediate_mode, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_tstamp_precision, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_want_pktap, (pcap_t *a, int b), (a, b)) \
  X(int, PCAP_FAILED, pcap_activate, (pcap_t *a), (a)) \
  X(pcap_t *, NULL, pcap_open_dead, (int a, int b), (a, b)) \
  X(pcap_t *, NULL, pcap_open_dead_with_tstamp_precision, (int a, int b, unsigned c), (a, b, c)) \
  V(pcap_close, (pcap_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_loop, (pcap_t *a, int b, handler_t c, byte_t *d), (a, b, c, d)) \
  X(int, PCAP_FAILED, pcap_dispatch, (pcap_t *a, int b, handler_t c, byte_t *d), (a, b, c, d)) \
  X(int, PCAP_FAILED, pcap_next_ex, (pcap_t *a, header_t **b, const byte_t **c), (a, b, c)) \
  V(pcap_breakloop, (pcap_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_stats, (pcap_t *a, counts_t *b), (a, b)) \
  X(int, PCAP_FAILED, pcap_setfilter, (pcap_t *a, program_t *b), (a, b)) \
  X(int, PCAP_FAILED, pcap_setdirection, (pcap_t *a, unsigned b), (a, b)) \
  X(int, PCAP_FAILED, pcap_sendpacket, (pcap_t *a, const byte_t *b, int c), (a, b, c)) \
  X(char *, message, pcap_geterr, (pcap_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_compile, (pcap_t *a, program_t *b, const char *c, int d, unsigned e), (a, b, c, d, e)) \
  V(pcap_freecode, (program_t *a), (a)) \
  X(int, 0, pcap_offline_filter, (const program_t *a, const header_t *b, const byte_t *c), (a, b, c)) \
  X(int, PCAP_FAILED, pcap_datalink, (pcap_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_list_datalinks, (pcap_t *a, int **b), (a, b)) \
  X(int, PCAP_FAILED, pcap_set_datalink, (pcap_t *a, int b), (a, b)) \
  V(pcap_free_datalinks, (int *a), (a)) \
  X(int, PCAP_FAILED, pcap_datalink_name_to_val, (const char *a), (a)) \
  X(const char *, NULL, pcap_datalink_val_to_name, (int a), (a)) \
  X(const char *, NULL, pcap_datalink_val_to_description, (int a), (a)) \
  X(int, PCAP_FAILED, pcap_major_version, (pcap_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_minor_version, (pcap_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_fileno, (pcap_t *a), (a)) \
  X(dumper_t *, NULL, pcap_dump_open, (pcap_t *a, const char *b), (a, b)) \
  X(dumper_t *, NULL, pcap_dump_open_append, (pcap_t *a, const char *b), (a, b)) \
  X(dumper_t *, NULL, pcap_dump_fopen, (pcap_t *a, FILE *b), (a, b)) \
  X(int, PCAP_FAILED, pcap_dump_flush, (dumper_t *a), (a)) \
  V(pcap_dump_close, (dumper_t *a), (a)) \
  V(pcap_dump, (byte_t *a, const header_t *b, const byte_t *c), (a, b, c)) \
  V(pcap_freealldevs, (devices_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_get_selectable_fd, (pcap_t *a), (a)) \
  WINDOWS_FUNCTIONS(X, V)

#ifdef _WIN32
#define WINDOWS_FUNCTIONS(X, V) \
  X(int, PCAP_FAILED, pcap_setmintocopy, (pcap_t *a, int b), (a, b)) \
  X(WIDE_HANDLE, NULL, pcap_getevent, (pcap_t *a), (a)) \
  X(queue_t *, NULL, pcap_sendqueue_alloc, (unsigned a), (a)) \
  V(pcap_sendqueue_destroy, (queue_t *a), (a)) \
  X(int, PCAP_FAILED, pcap_sendqueue_queue, (queue_t *a, const header_t *b, const byte_t *c), (a, b, c)) \
  X(unsigned, 0, pcap_sendqueue_transmit, (pcap_t *a, queue_t *b, int c), (a, b, c))
#else
#define WINDOWS_FUNCTIONS(X, V)
#endif

/* The same, for functions that write a message to their last argument. */
#define FUNCTIONS_WITH_MESSAGE(X) \
  X(pcap_t *, NULL, pcap_create, (const char *a, char *message), (a, message)) \
  X(pcap_t *, NULL, pcap_open_offline, (const char *a, char *message), (a, message)) \
  X(pcap_t *, NULL, pcap_fopen_offline, (FILE *a, char *message), (a, message)) \
  X(pcap_t *, NULL, pcap_open_offline_with_tstamp_precision, (const char *a, unsigned b, char *message), (a, b, message)) \
  X(pcap_t *, NULL, pcap_fopen_offline_with_tstamp_precision, (FILE *a, unsigned b, char *message), (a, b, message)) \
  X(int, PCAP_FAILED, pcap_setnonblock, (pcap_t *a, int b, char *message), (a, b, message)) \
  X(int, PCAP_FAILED, pcap_findalldevs, (devices_t **a, char *message), (a, message))

#define FIELD(result, otherwise, name, parameters, arguments) result(*name) parameters;
#define VOID_FIELD(name, parameters, arguments) void(*name) parameters;

static struct {
  FUNCTIONS(FIELD, VOID_FIELD)
  FUNCTIONS_WITH_MESSAGE(FIELD)
} found;

static char message[] = MESSAGE;

#ifdef _WIN32
/* Npcap's folder first, as its guide says; only folders of the system are searched. */
static void *open_library(void) {
  char path[MAX_PATH + 32];
  UINT length = GetSystemDirectoryA(path, MAX_PATH);
  HMODULE library = NULL;
  if (length == 0 || length >= MAX_PATH) return NULL;
  strcpy(path + length, "\\Npcap\\wpcap.dll");
  library = LoadLibraryExA(path, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (library == NULL) library = LoadLibraryExA("wpcap.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
  return (void *)library;
}

static void *function_of(void *library, const char *name) {
  return (void *)GetProcAddress((HMODULE)library, name);
}
#else
/* By soname first: without the development package there is no libpcap.so. */
static void *open_library(void) {
  static const char *const names[] = {
#ifdef __APPLE__
      "/usr/lib/libpcap.A.dylib", "libpcap.dylib",
#elif defined(__FreeBSD__) || defined(__DragonFly__)
      "libpcap.so.8", "libpcap.so",
#else
      "libpcap.so.1", "libpcap.so.0.8", "libpcap.so",
#endif
  };
  size_t nth;
  for (nth = 0; nth < sizeof names / sizeof *names; nth++) {
    void *library = dlopen(names[nth], RTLD_NOW | RTLD_LOCAL);
    if (library != NULL) return library;
  }
  return NULL;
}

static void *function_of(void *library, const char *name) { return dlsym(library, name); }
#endif

/* A pointer to an object becomes one to a function by its bytes, which POSIX guarantees to work. */
static void set(void *field, void *library, const char *name) {
  void *function = function_of(library, name);
  memcpy(field, &function, sizeof function);
}

#define SET(result, otherwise, name, parameters, arguments) set(&found.name, library, #name);
#define VOID_SET(name, parameters, arguments) set(&found.name, library, #name);

static void look_up(void) {
  void *library = open_library();
  if (library == NULL) return;
  FUNCTIONS(SET, VOID_SET)
  FUNCTIONS_WITH_MESSAGE(SET)
}

#ifdef _WIN32
static BOOL CALLBACK look_up_once(PINIT_ONCE once, PVOID parameter, PVOID *context) {
  (void)once, (void)parameter, (void)context;
  look_up();
  return TRUE;
}

static void ready(void) {
  static INIT_ONCE once = INIT_ONCE_STATIC_INIT;
  InitOnceExecuteOnce(&once, look_up_once, NULL, NULL);
}
#else
static void ready(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, look_up);
}
#endif

#define DEFINE(result, otherwise, name, parameters, arguments) \
  result name parameters { \
    ready(); \
    return found.name == NULL ? otherwise : found.name arguments; \
  }
#define VOID_DEFINE(name, parameters, arguments) \
  void name parameters { \
    ready(); \
    if (found.name != NULL) found.name arguments; \
  }
#define DEFINE_WITH_MESSAGE(result, otherwise, name, parameters, arguments) \
  result name parameters { \
    ready(); \
    if (found.name != NULL) return found.name arguments; \
    strncpy(message, MESSAGE, MESSAGE_SIZE - 1); \
    message[MESSAGE_SIZE - 1] = '\0'; \
    return otherwise; \
  }

FUNCTIONS(DEFINE, VOID_DEFINE)
FUNCTIONS_WITH_MESSAGE(DEFINE_WITH_MESSAGE)
