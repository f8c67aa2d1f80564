/* A disk that is told what to do by the file that HOLDFAST_TEST_DISK names: while that is empty,
 * nothing reaches the disk; with a number in it, everything takes so many milliseconds longer. While
 * the file that HOLDFAST_TEST_DISK_FULL names is there, the disk has no room for a snapshot. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void wait_for_disk(void) {
    const char *path = getenv("HOLDFAST_TEST_DISK");
    FILE *sign;
    while (path != NULL && (sign = fopen(path, "r")) != NULL) {
        unsigned int ms;
        int is_delay = fscanf(sign, "%u", &ms) == 1;
        fclose(sign);
        if (is_delay) {
            usleep(ms * 1000);
            return;
        }
        usleep(50 * 1000);
    }
}

static int done(const char *name, int descriptor) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    wait_for_disk();
    return real(descriptor);
}

int fsync(int descriptor) {
    return done("fsync", descriptor);
}

int fdatasync(int descriptor) {
    return done("fdatasync", descriptor);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) =
        (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    const char *full = getenv("HOLDFAST_TEST_DISK_FULL");
    if (full != NULL && access(full, F_OK) == 0 && is_snapshot(descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, bytes, count);
}
