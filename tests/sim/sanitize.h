/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* For a function that the runtime of a sanitizer calls before it is ready itself. */
#define sim_uninstrumented
#ifdef __has_attribute
#if __has_attribute(disable_sanitizer_instrumentation)
#undef sim_uninstrumented
#define sim_uninstrumented __attribute__((disable_sanitizer_instrumentation))
#endif
#endif

/* Tells AddressSanitizer that memory is used again, if it has not seen the memory freed. */

/* gcc has a macro for it, clang a feature. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define sim_unpoison(p, n)                   ASAN_UNPOISON_MEMORY_REGION(p, n)
#define sim_switch_begins(save, stack, size) __sanitizer_start_switch_fiber(save, stack, size)
#define sim_switch_ends(saved, stack, size)  __sanitizer_finish_switch_fiber(saved, stack, size)
#else
#define sim_unpoison(p, n)                   ((void)(p), (void)(n))
#define sim_switch_begins(save, stack, size) ((void)(save), (void)(stack), (void)(size))
#define sim_switch_ends(saved, stack, size)  ((void)(saved), (void)(stack), (void)(size))
#endif
