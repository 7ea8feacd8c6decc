/* Preloaded into a process: keeps every version of the pages of its files, and all that it does to
 * sizes, names and durability, in the order in which it happened; or kills it at a counted moment.
 *
 * Files below one folder are followed. Before each call that changes or syncs one of them, and when
 * shim_look() is called, the pages that differ from what was last seen are written to a log; stores
 * through a mapping are seen so, too. recording.py reads the log, whose records are
 *     u8 kind, u8[3] zero, u32 file, u64 number, u64 size, size bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, MOST_FILES = 4096, MOST_MAPS = 4096 };
enum kind { CONTENT, SIZE, SYNCED, FOLDER_SYNCED, CREATED, FOLDER_MADE, LINKED, RENAMED, UNLINKED, SAID };

struct file {
    dev_t device;
    ino_t inode;
    int fd; /* -1: nobody can reach it any more */
    size_t size;
    unsigned char* known;
};

struct map {
    const char* address;
    size_t bytes;
    uint32_t file;
    off_t offset;
};

static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char root[4096];
static int log_fd = -1;
static struct file files[MOST_FILES];
static uint32_t n_files;
static struct map maps[MOST_MAPS];
static long changes_left; /* until death; 0: never */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static void stop(const char* why) {
    fprintf(stderr, "shim: %s: %s\n", why, strerror(errno));
    abort();
}

static void put(const void* data, size_t size) {
    static __typeof__(&write) real;
    if (!real) real = (__typeof__(&write))dlsym(RTLD_NEXT, "write");
    const char* at = data;
    while (size > 0) {
        const ssize_t n = real(log_fd, at, size);
        if (n < 0) stop("cannot write the log");
        at += n;
        size -= (size_t)n;
    }
}

static void record(enum kind kind, uint32_t file, uint64_t number, const void* data, size_t size) {
    unsigned char head[24] = {(unsigned char)kind};
    const uint64_t bytes = size;
    memcpy(head + 4, &file, 4);
    memcpy(head + 8, &number, 8);
    memcpy(head + 16, &bytes, 8);
    put(head, sizeof head);
    put(data, size);
}

/* Write down what changed in a file since it was last looked at. */
static void look_at(uint32_t number) {
    struct file* const file = &files[number];
    struct stat status;
    if (file->fd < 0) return;
    if (fstat(file->fd, &status) != 0) stop("fstat");
    const size_t size = (size_t)status.st_size;
    if (size != file->size) {
        const size_t most = (size > file->size ? size : file->size) / PAGE + 1;
        file->known = realloc(file->known, most * PAGE);
        const size_t kept = size < file->size ? size : file->size;
        memset(file->known + kept, 0, most * PAGE - kept);
        file->size = size;
        record(SIZE, number, size, NULL, 0);
    }
    static unsigned char now[64 * PAGE];
    for (size_t at = 0; at < size;) {
        const size_t wanted = size - at < sizeof now ? size - at : sizeof now;
        const ssize_t n = pread(file->fd, now, wanted, (off_t)at);
        if (n < 0) stop("pread");
        if (n == 0) break; /* it became shorter meanwhile */
        memset(now + n, 0, (PAGE - (size_t)n % PAGE) % PAGE);
        for (size_t p = 0; p < (size_t)n; p += PAGE) {
            unsigned char* const known = file->known + at + p;
            if (memcmp(known, now + p, PAGE) == 0) continue;
            memcpy(known, now + p, PAGE);
            record(CONTENT, number, (at + p) / PAGE, known, PAGE);
        }
        at += (size_t)n;
    }
}

static void look(void) {
    for (uint32_t i = 0; i < n_files; ++i) look_at(i);
}

/* The path below the root; NULL where it is elsewhere, or where nothing is followed. */
static const char* below_root(int folder, const char* path, char* full) {
    if (log_fd < 0 && changes_left == 0) return NULL;
    if (path[0] == '/') {
        snprintf(full, 4096, "%s", path);
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        const ssize_t n = folder == AT_FDCWD ? readlink("/proc/self/cwd", full, 2000)
                                             : readlink(link, full, 2000);
        if (n < 0) return NULL;
        snprintf(full + n, 4096 - (size_t)n, "/%s", path);
    }
    const size_t n = strlen(root);
    return strncmp(full, root, n) == 0 && full[n] == '/' ? full + n + 1 : NULL;
}

static int find(const struct stat* status) {
    for (uint32_t i = 0; i < n_files; ++i) {
        if (files[i].fd >= 0 && files[i].inode == status->st_ino &&
            files[i].device == status->st_dev) {
            return (int)i;
        }
    }
    return -1;
}

static int find_fd(int fd) {
    struct stat status;
    if (log_fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return -1;
    return find(&status);
}

static void follow(const char* full, const char* name) {
    struct stat status;
    if (log_fd < 0 || stat(full, &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (find(&status) >= 0) return;
    if (n_files == MOST_FILES) stop("too many files");
    REAL(open);
    const uint32_t number = n_files;
    files[number] = (struct file){status.st_dev, status.st_ino, real(full, O_RDONLY | O_CLOEXEC), 0, NULL};
    if (files[number].fd < 0) stop("cannot open what is followed");
    ++n_files;
    record(CREATED, number, 0, name, strlen(name));
    look_at(number);
}

/* A followed file is about to change. True where the process dies in the middle of it. */
static int about_to_change(void) {
    look();
    return changes_left > 0 && --changes_left == 0;
}

/* The same for a write, of which there are many: what one of them did is seen before a later one. */
static int about_to_write(void) {
    static unsigned seed = 1;
    if (rand_r(&seed) % 8 == 0) look();
    return changes_left > 0 && --changes_left == 0;
}

static void die(void) { raise(SIGKILL); }

/* How much of a write is done by who dies in it: half, but nobody dies within a sector. */
static size_t half(off_t offset, size_t size) {
    const size_t cut = ((size_t)offset + size / 2) / 512 * 512;
    return cut > (size_t)offset ? cut - (size_t)offset : 0;
}

/* From Python. */

void shim_follow(const char* folder, const char* log) {
    REAL(open);
    snprintf(root, sizeof root, "%s", folder);
    log_fd = real(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (log_fd < 0) stop("cannot open the log");
}

/* Die at the n-th change of a file below a folder, every other time in the middle of it. */
void shim_die_at(const char* folder, long n) {
    snprintf(root, sizeof root, "%s", folder);
    changes_left = n;
}

long shim_left(void) { return changes_left; }

void shim_say(uint32_t what, uint64_t number) {
    pthread_mutex_lock(&mutex);
    look();
    record(SAID, what, number, NULL, 0);
    pthread_mutex_unlock(&mutex);
}

void shim_look(void) {
    pthread_mutex_lock(&mutex);
    look();
    pthread_mutex_unlock(&mutex);
}

/* The calls that are followed. */

static int is_followed(int fd) {
    struct stat status;
    char link[64], full[4096];
    if (log_fd < 0 && changes_left == 0) return 0;
    if (fstat(fd, &status) != 0 || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, full, sizeof full - 1);
    if (n < 0) return 0;
    full[n] = 0;
    return strncmp(full, root, strlen(root)) == 0;
}

#define CHANGE_OF(fd, about, halfway) \
    if (is_followed(fd)) { \
        pthread_mutex_lock(&mutex); \
        if (about()) { \
            halfway; \
            die(); \
        } \
        pthread_mutex_unlock(&mutex); \
    }

#define WRITE(name, type) \
    ssize_t name(int fd, const void* data, size_t size, type offset) { \
        REAL(name); \
        CHANGE_OF(fd, about_to_write, (void)!real(fd, data, half(offset, size), offset)) \
        return real(fd, data, size, offset); \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void* data, size_t size) {
    REAL(write);
    CHANGE_OF(fd, about_to_write, (void)!real(fd, data, half(lseek(fd, 0, SEEK_CUR), size)))
    return real(fd, data, size);
}

#define WRITE_MANY(name, type) \
    ssize_t name(int fd, const struct iovec* pieces, int n, type offset) { \
        REAL(name); \
        CHANGE_OF(fd, about_to_write, (void)!real(fd, pieces, n / 2, offset)) \
        return real(fd, pieces, n, offset); \
    }
WRITE_MANY(pwritev, off_t)
WRITE_MANY(pwritev64, off64_t)

#define CUT(name, type) \
    int name(int fd, type size) { \
        REAL(name); \
        CHANGE_OF(fd, about_to_change, ) \
        return real(fd, size); \
    }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)

#define CUT_PATH(name, type) \
    int name(const char* path, type size) { \
        REAL(name); \
        char full[4096]; \
        if (below_root(AT_FDCWD, path, full)) { \
            pthread_mutex_lock(&mutex); \
            if (about_to_change()) die(); \
            pthread_mutex_unlock(&mutex); \
        } \
        return real(path, size); \
    }
CUT_PATH(truncate, off_t)
CUT_PATH(truncate64, off64_t)

#define ALLOCATE(name, type) \
    int name(int fd, type offset, type size) { \
        REAL(name); \
        CHANGE_OF(fd, about_to_change, ) \
        return real(fd, offset, size); \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

/* What lay in the file when the sync began is durable when it returns. */
static int synced(int fd, int (*real)(int)) {
    struct stat status;
    if (!is_followed(fd)) return real(fd);
    pthread_mutex_lock(&mutex);
    if (about_to_change()) die();
    uint64_t moment = 0;
    const int number = find_fd(fd);
    if (log_fd >= 0) moment = (uint64_t)lseek(log_fd, 0, SEEK_CUR);
    pthread_mutex_unlock(&mutex);
    const int result = real(fd);
    if (log_fd < 0 || result != 0) return result;
    pthread_mutex_lock(&mutex);
    look();
    if (number >= 0) {
        record(SYNCED, (uint32_t)number, moment, NULL, 0);
    } else if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        char link[64], full[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        const ssize_t n = readlink(link, full, sizeof full);
        const size_t skipped = strlen(root) + 1;
        record(FOLDER_SYNCED, 0, moment, full + skipped, (size_t)n > skipped ? (size_t)n - skipped : 0);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int fsync(int fd) {
    REAL(fsync);
    return synced(fd, real);
}
int fdatasync(int fd) {
    REAL(fdatasync);
    return synced(fd, real);
}

#define MAP(name, type) \
    void* name(void* wanted, size_t bytes, int access, int flags, int fd, type offset) { \
        REAL(name); \
        void* const address = real(wanted, bytes, access, flags, fd, offset); \
        if (log_fd < 0 || fd < 0 || address == MAP_FAILED) return address; \
        if (!(flags & MAP_SHARED) || !(access & PROT_WRITE)) return address; \
        pthread_mutex_lock(&mutex); \
        const int file = find_fd(fd); \
        for (int i = 0; file >= 0; ++i) { \
            if (i == MOST_MAPS) stop("too many mappings"); \
            if (maps[i].address && maps[i].address != address) continue; \
            maps[i] = (struct map){address, bytes, (uint32_t)file, offset}; \
            break; \
        } \
        pthread_mutex_unlock(&mutex); \
        return address; \
    }
MAP(mmap, off_t)
MAP(mmap64, off64_t)

int munmap(void* address, size_t bytes) {
    REAL(munmap);
    if (log_fd >= 0) {
        pthread_mutex_lock(&mutex);
        for (int i = 0; i < MOST_MAPS; ++i) {
            if (maps[i].address == address) maps[i].address = NULL;
        }
        pthread_mutex_unlock(&mutex);
    }
    return real(address, bytes);
}

/* Durable: the pages of the range. The first page and how many there are follow the record. */
int msync(void* address, size_t bytes, int flags) {
    REAL(msync);
    if (changes_left > 0 && about_to_change()) die();
    if (log_fd < 0) return real(address, bytes, flags);
    pthread_mutex_lock(&mutex);
    look();
    const uint64_t moment = (uint64_t)lseek(log_fd, 0, SEEK_CUR);
    pthread_mutex_unlock(&mutex);
    const int result = real(address, bytes, flags);
    if (result != 0 || !(flags & MS_SYNC)) return result;
    pthread_mutex_lock(&mutex);
    look();
    for (int i = 0; i < MOST_MAPS; ++i) {
        const char* const begin = maps[i].address;
        const char* const at = address;
        if (!begin || at < begin || at >= begin + maps[i].bytes) continue;
        const uint64_t first = (uint64_t)(maps[i].offset + (at - begin)) / PAGE;
        const uint64_t range[2] = {first, (bytes + PAGE - 1) / PAGE};
        record(SYNCED, maps[i].file, moment, range, sizeof range);
        break;
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

#define OPEN(name, before, folder) \
    { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) { \
            va_list more; \
            va_start(more, flags); \
            mode = va_arg(more, mode_t); \
            va_end(more); \
        } \
        char full[4096]; \
        const char* const below = below_root(folder, path, full); \
        if (!below) return real(before path, flags, mode); \
        pthread_mutex_lock(&mutex); \
        struct stat status; \
        if (flags & (O_CREAT | O_TRUNC) && lstat(full, &status) != 0 && about_to_change()) die(); \
        const int fd = real(before path, flags, mode); \
        if (fd >= 0) follow(full, below); \
        pthread_mutex_unlock(&mutex); \
        return fd; \
    }
#define NOTHING
int open(const char* path, int flags, ...) OPEN(open, NOTHING, AT_FDCWD)
int open64(const char* path, int flags, ...) OPEN(open64, NOTHING, AT_FDCWD)
#define FOLDER folder,
int openat(int folder, const char* path, int flags, ...) OPEN(openat, FOLDER, folder)
int openat64(int folder, const char* path, int flags, ...) OPEN(openat64, FOLDER, folder)

/* Names. */

static void both(enum kind kind, const char* from, const char* to) {
    char names[8192];
    const int n = snprintf(names, sizeof names, "%s%c%s", from, 0, to);
    record(kind, 0, 0, names, (size_t)n);
}

static int two_names(const char* from, const char* to, int (*real)(const char*, const char*),
                     enum kind kind) {
    char full_from[4096], full_to[4096];
    const char* const below_from = below_root(AT_FDCWD, from, full_from);
    const char* const below_to = below_root(AT_FDCWD, to, full_to);
    if (!below_from || !below_to) return real(from, to);
    pthread_mutex_lock(&mutex);
    if (about_to_change()) die();
    const int result = real(from, to);
    if (result == 0 && log_fd >= 0) both(kind, below_from, below_to);
    pthread_mutex_unlock(&mutex);
    return result;
}

int rename(const char* from, const char* to) {
    REAL(rename);
    return two_names(from, to, real, RENAMED);
}
int link(const char* from, const char* to) {
    REAL(link);
    return two_names(from, to, real, LINKED);
}

static int one_name(const char* path, int (*real)(const char*)) {
    char full[4096];
    const char* const below = below_root(AT_FDCWD, path, full);
    if (!below) return real(path);
    pthread_mutex_lock(&mutex);
    if (about_to_change()) die();
    struct stat status;
    const int gone = stat(full, &status) == 0 && status.st_nlink == 1 ? find(&status) : -1;
    const int result = real(path);
    if (result == 0 && log_fd >= 0) {
        record(UNLINKED, 0, 0, below, strlen(below));
        if (gone >= 0) {
            close(files[gone].fd);
            files[gone].fd = -1;
        }
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int unlink(const char* path) {
    REAL(unlink);
    return one_name(path, real);
}
int rmdir(const char* path) {
    REAL(rmdir);
    return one_name(path, real);
}
int remove(const char* path) {
    REAL(remove);
    return one_name(path, real);
}

int mkdir(const char* path, mode_t mode) {
    REAL(mkdir);
    char full[4096];
    const char* const below = below_root(AT_FDCWD, path, full);
    if (!below) return real(path, mode);
    pthread_mutex_lock(&mutex);
    if (about_to_change()) die();
    const int result = real(path, mode);
    if (result == 0 && log_fd >= 0) record(FOLDER_MADE, 0, 0, below, strlen(below));
    pthread_mutex_unlock(&mutex);
    return result;
}
