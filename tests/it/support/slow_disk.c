/* A disk that is told what to do by the file that HOLDFAST_TEST_DISK names: while that is empty,
 * nothing reaches the disk; with a number in it, everything takes so many milliseconds longer. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
