/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small things every file may use: array and struct arithmetic, and cleanup at the end of a scope.
 *
 * Cleanup is how this code frees: a variable declared with _cleanup_(f) is passed to f by address
 * when its scope ends, on every path out of it, in the reverse order of declaration. A function
 * that hands such a thing on takes it out of the variable first, with STEAL_PTR or STEAL_FD. */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)            __attribute__((__cleanup__(f)))
#define _printf_(format, first) __attribute__((__format__(__printf__, format, first)))
#define _unused_                __attribute__((__unused__))
#define _likely_(x)             __builtin_expect(!!(x), 1)
#define _unlikely_(x)           __builtin_expect(!!(x), 0)

/* The number of elements of an array; a pointer does not compile. */
#define ARRAY_SIZE(array)                                                                          \
    (sizeof(array) / sizeof((array)[0]) +                                                          \
     0 * sizeof(struct {                                                                           \
         _Static_assert(!__builtin_types_compatible_p(__typeof__(array), __typeof__(&(array)[0])), \
                        "ARRAY_SIZE needs an array");                                              \
         int unused;                                                                               \
     }))

/* The struct of the given type whose member the pointer points to. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    __extension__({                                                                                \
        __typeof__(((type *)NULL)->member) *_member = (pointer);                                   \
        (type *)(void *)((char *)_member - offsetof(type, member));                                \
    })

/* Each argument is evaluated once. Both must be of one type, or the comparison could change a
 * value's sign. */
#define MIN(a, b) _PICK(a, <, b)
#define MAX(a, b) _PICK(a, >, b)
#define _PICK(a, operator, b)                                                                      \
    __extension__({                                                                                \
        __auto_type _a = (a);                                                                      \
        __auto_type _b = (b);                                                                      \
        _Static_assert(__builtin_types_compatible_p(__typeof__(_a), __typeof__(_b)),               \
                       "MIN and MAX need arguments of one type");                                  \
        _a operator _b ? _a : _b;                                                                  \
    })

/* How many of size d hold n: both unsigned, d not 0. Does not overflow. */
#define DIV_ROUND_UP(n, d)                                                                         \
    __extension__({                                                                                \
        __auto_type _n = (n);                                                                      \
        __auto_type _d = (d);                                                                      \
        _n / _d + (_n % _d != 0 ? 1 : 0);                                                          \
    })

/* Take the value out of the variable, so that its cleanup finds nothing. */
#define STEAL_PTR(pointer)                                                                         \
    __extension__({                                                                                \
        __typeof__(pointer) *_p = &(pointer);                                                      \
        __typeof__(pointer) _taken = *_p;                                                          \
        *_p = NULL;                                                                                \
        _taken;                                                                                    \
    })
#define STEAL_FD(fd)                                                                               \
    __extension__({                                                                                \
        int *_fd = &(fd);                                                                          \
        int _taken = *_fd;                                                                         \
        *_fd = -1;                                                                                 \
        _taken;                                                                                    \
    })

/* Close a descriptor unless it is negative, keeping errno. Always returns -1, to be assigned to the
 * variable. */
static inline int close_fd(int fd)
{
    int saved = errno;

    /* On Linux the descriptor is gone even after EINTR, and trying again could close another
     * thread's: close(2). */
    if (fd >= 0)
        (void)close(fd);
    errno = saved;
    return -1;
}

static inline void cleanup_close(int *fd)
{
    (void)close_fd(*fd);
}

static inline void cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}

#define _cleanup_close_ _cleanup_(cleanup_close)
#define _cleanup_free_  _cleanup_(cleanup_free)
