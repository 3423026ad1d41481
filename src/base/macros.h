/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small helpers that every file may use: array and struct arithmetic, and cleanup at scope end.
 *
 * This code frees by cleanup: at the end of its scope, a variable declared with _cleanup_(f) is
 * passed to f by address. This happens on every path out of the scope, in reverse order of
 * declaration. A function that passes ownership on takes the value out of the variable first, with
 * STEAL_PTR or STEAL_FD. */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f)            __attribute__((__cleanup__(f)))
#define _printf_(format, first) __attribute__((__format__(__printf__, format, first)))
#define _unused_                __attribute__((__unused__))
#define _cold_                  __attribute__((__cold__, __noinline__))
#define _noinline_              __attribute__((__noinline__))
#define _inline_                inline __attribute__((__always_inline__))
#define _unlikely_(x)           __builtin_expect(!!(x), 0)

/* The number of elements of an array. Does not compile for a pointer. */
#define ARRAY_SIZE(array)                                                                          \
    (sizeof(array) / sizeof((array)[0]) +                                                          \
     0 * sizeof(struct {                                                                           \
         _Static_assert(!__builtin_types_compatible_p(__typeof__(array), __typeof__(&(array)[0])), \
                        "ARRAY_SIZE needs an array");                                              \
         int unused;                                                                               \
     }))

/* The macros below number their variables, because they can be nested. */
#define JOIN_(a, b)        a##b
#define UNIQUE_(prefix, n) JOIN_(prefix, n)

/* The struct of the given type whose member the pointer points to. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    CONTAINER_OF_(pointer, type, member, UNIQUE_(member_, __COUNTER__))
#define CONTAINER_OF_(pointer, type, member, m)                                                    \
    __extension__({                                                                                \
        __typeof__(((type *)NULL)->member) *m = (pointer);                                         \
        (type *)(void *)((char *)m - offsetof(type, member));                                      \
    })

/* Both arguments must have the same type, since a comparison of different types could change a
 * value's sign. Each is evaluated once. */
#define MIN(a, b)                PICK_(a, <, b, __COUNTER__)
#define MAX(a, b)                PICK_(a, >, b, __COUNTER__)
#define PICK_(a, operator, b, n) PICK_AS_(a, operator, b, UNIQUE_(a_, n), UNIQUE_(b_, n))
#define PICK_AS_(a, operator, b, x, y)                                                             \
    __extension__({                                                                                \
        __auto_type x = (a);                                                                       \
        __auto_type y = (b);                                                                       \
        _Static_assert(__builtin_types_compatible_p(__typeof__(x), __typeof__(y)),                 \
                       "MIN and MAX need arguments of one type");                                  \
        x operator y ? x : y;                                                                      \
    })

/* How many units of size d hold n. Both are unsigned, and d is not 0. Adding d - 1 first could
 * overflow. */
#define DIV_ROUND_UP(n, d) DIV_ROUND_UP_(n, d, UNIQUE_(n_, __COUNTER__), UNIQUE_(d_, __COUNTER__))
#define DIV_ROUND_UP_(n, d, x, y)                                                                  \
    __extension__({                                                                                \
        __auto_type x = (n);                                                                       \
        __auto_type y = (d);                                                                       \
        x / y + (x % y != 0 ? 1 : 0);                                                              \
    })

/* Takes the value out of the variable, so that its cleanup finds nothing. */
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

/* Closes a descriptor unless it is negative, and keeps errno. Always returns -1, to be assigned to
 * the variable. */
static inline int close_fd(int fd)
{
    int saved = errno;

    /* On Linux the descriptor is closed even after EINTR. A retry could close another thread's
     * descriptor: close(2). */
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
