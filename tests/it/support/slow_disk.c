/* While the file that HOLDFAST_TEST_DISK_HANGS names is there, nothing reaches the disk; while the one
 * that HOLDFAST_TEST_DISK_FULL names is there, the disk has no room for a snapshot. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_there(const char *variable) {
    const char *sign = getenv(variable);
    return sign != NULL && access(sign, F_OK) == 0;
}

static int is_snapshot(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) {
        return 0;
    }
    path[length] = 0;
    return strstr(path, ".unfinished") != NULL;
}

int fsync(int descriptor) {
    while (is_there("HOLDFAST_TEST_DISK_HANGS")) {
        usleep(50 * 1000);
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return real(descriptor);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (is_there("HOLDFAST_TEST_DISK_FULL") && is_snapshot(descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, bytes, count);
}
