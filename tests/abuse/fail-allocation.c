/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * A library to preload: makes allocations fail, and counts them.
 *
 *   FAIL_ALLOCATION=N  the N-th fails, counted from 1; 0 or unset: none
 *   FAIL_COUNT=K       so do the next K - 1
 *   FAIL_REPORT=FILE   at exit, writes the number of allocations, the number of those not freed,
 *                      and the caller of the first failed one, as MODULE+OFFSET
 *
 * An allocation is a call of malloc() and similar, or of mmap() for anonymous memory by the program
 * itself. glibc's own mappings, such as the stack of a thread, are not seen here.
 */

/* glibc's functions, under the names it exports for this. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *p);

static atomic_ulong asked;
static atomic_long held;
static unsigned long fail_first, fail_count = 1;
static void *_Atomic failed_at;

__attribute__((constructor)) static void begin(void)
{
    const char *first = getenv("FAIL_ALLOCATION"), *n = getenv("FAIL_COUNT");

    fail_first = first ? strtoul(first, NULL, 10) : 0;
    fail_count = n ? strtoul(n, NULL, 10) : 1;
    /* Without the allocations of the dynamic linker. */
    asked = 0;
    held = 0;
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("FAIL_REPORT"), *module = "-";
    char line[512];
    Dl_info info;
    uintptr_t offset = 0;
    int n, fd;

    if (!path)
        return;
    if (failed_at && dladdr(failed_at, &info)) {
        module = strrchr(info.dli_fname, '/') ?: info.dli_fname;
        offset = (uintptr_t)failed_at - (uintptr_t)info.dli_fbase;
    }
    n = snprintf(line, sizeof line, "%lu %ld %s+0x%lx\n", (unsigned long)asked, (long)held, module,
                 (unsigned long)offset);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        abort();
    (void)close(fd);
}

static int fails(void *caller)
{
    unsigned long number = atomic_fetch_add(&asked, 1) + 1;
    void *none = NULL;

    if (fail_first == 0 || number < fail_first || number - fail_first >= fail_count)
        return 0;
    (void)atomic_compare_exchange_strong(&failed_at, &none, caller);
    errno = ENOMEM;
    return 1;
}

static void *counted(void *p)
{
    held += p != NULL;
    return p;
}

void *malloc(size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_calloc(n, size));
}

static void *reallocate(void *old, size_t size, void *caller)
{
    void *new;

    if (fails(caller))
        return NULL;
    new = __libc_realloc(old, size);
    if (!old)
        return counted(new);
    held -= size == 0;
    return new;
}

void *realloc(void *old, size_t size)
{
    return reallocate(old, size, __builtin_return_address(0));
}

void *reallocarray(void *old, size_t n, size_t size)
{
    size_t sum;

    if (__builtin_mul_overflow(n, size, &sum)) {
        errno = ENOMEM;
        return NULL;
    }
    return reallocate(old, sum, __builtin_return_address(0));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(alignment, size));
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *p = fails(__builtin_return_address(0)) ? NULL : counted(__libc_memalign(alignment, size));

    if (!p)
        return ENOMEM;
    *ret = p;
    return 0;
}

void free(void *p)
{
    held -= p != NULL;
    __libc_free(p);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*real)(void *, size_t, int, int, int, off_t);

    if (!real)
        real = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    if (flags & MAP_ANONYMOUS && fails(__builtin_return_address(0)))
        return MAP_FAILED;
    return real(address, size, protection, flags, fd, offset);
}
