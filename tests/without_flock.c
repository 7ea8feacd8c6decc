/* Preloaded into a process: its file systems have no flock, and its machine another name, if the
 * environment says one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int flock(int fd, int operation) {
    (void)fd;
    (void)operation;
    errno = ENOLCK;
    return -1;
}

int gethostname(char* name, size_t size) {
    const char* const other = getenv("MACHINE");
    if (other) {
        strncpy(name, other, size);
        return 0;
    }
    int (*real)(char*, size_t) = (int (*)(char*, size_t))dlsym(RTLD_NEXT, "gethostname");
    return real(name, size);
}
