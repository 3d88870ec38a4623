/* Loaded before a program (LD_PRELOAD): counts its calls that change files below a folder, and at
 * the one that was asked for ends the process as kill -9 does, or lets all from there on fail as on
 * a disk that is full or read-only. Used by injected_kills.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT = 0, KILL = 1, FULL = 2, READ_ONLY = 3 };

static char under[PATH_MAX];
static int mode = COUNT;
static long at, calls;

void campaign_arm(const char *folder, int how, long call) {
    strncpy(under, folder, sizeof under - 1);
    mode = how;
    at = call;
    calls = 0;
}

long campaign_calls(void) { return calls; }

static int lies_under(const char *path) {
    char whole[2 * PATH_MAX];
    if (!under[0] || !path) return 0;
    if (path[0] == '/') return strncmp(path, under, strlen(under)) == 0;
    if (!getcwd(whole, PATH_MAX)) return 0;
    return strncmp(whole, under, strlen(under)) == 0;
}

static int is_under(int fd) {
    char link[64], path[PATH_MAX];
    if (!under[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return lies_under(path);
}

/* Whether the call is to fail; does not return where the process is to end. */
static int fails(int is_data) {
    calls++;
    if (mode == COUNT || calls < at) return 0;
    if (mode == KILL) {
        if (calls == at && !is_data) kill(getpid(), SIGKILL);
        return calls == at;
    }
    if (mode == FULL) {
        errno = ENOSPC;
        return is_data;
    }
    errno = EROFS;
    return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT))

#define OPEN(name)                                                          \
    int name(const char *path, int flags, ...) {                            \
        va_list list;                                                       \
        va_start(list, flags);                                              \
        int bits = va_arg(list, int);                                       \
        va_end(list);                                                       \
        REAL(name);                                                         \
        if (WRITES(flags) && lies_under(path) && fails(0)) return -1;       \
        return real(path, flags, bits);                                     \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                        \
    int name(int folder, const char *path, int flags, ...) {                \
        va_list list;                                                       \
        va_start(list, flags);                                              \
        int bits = va_arg(list, int);                                       \
        va_end(list);                                                       \
        REAL(name);                                                         \
        if (WRITES(flags) && lies_under(path) && fails(0)) return -1;       \
        return real(folder, path, flags, bits);                             \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                         \
    FILE *name(const char *path, const char *how) {                         \
        REAL(name);                                                         \
        if (strpbrk(how, "wa+") && lies_under(path) && fails(0)) return NULL; \
        return real(path, how);                                             \
    }
FOPEN(fopen)
FOPEN(fopen64)

/* A write that is cut short by the end of the process: half of it gets there. */
#define TORN(call) \
    if (mode == KILL) { if (call) {} kill(getpid(), SIGKILL); }

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (is_under(fd) && fails(1)) {
        TORN(real(fd, data, size / 2));
        return -1;
    }
    return real(fd, data, size);
}

#define PWRITE(name, offset_type)                                           \
    ssize_t name(int fd, const void *data, size_t size, offset_type where) { \
        REAL(name);                                                         \
        if (is_under(fd) && fails(1)) {                                     \
            TORN(real(fd, data, size / 2, where));                          \
            return -1;                                                      \
        }                                                                   \
        return real(fd, data, size, where);                                 \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    if (is_under(fd) && fails(1)) {
        TORN(real(fd, pieces, count > 1 ? count / 2 : count));
        return -1;
    }
    return real(fd, pieces, count);
}

#define ON_FD(name)                                                         \
    int name(int fd) {                                                      \
        REAL(name);                                                         \
        if (is_under(fd) && fails(0)) return -1;                            \
        return real(fd);                                                    \
    }
ON_FD(fsync)
ON_FD(fdatasync)

int rename(const char *from, const char *to) {
    REAL(rename);
    if (lies_under(to) && fails(0)) return -1;
    return real(from, to);
}
