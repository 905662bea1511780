/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one allocation of the process fail. glibc exports its allocator under
 * these names for such interposing (malloc(3), "Replacing malloc"). */
#include "failing_malloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer, what counts and checks what is in use. */
#ifdef __SANITIZE_ADDRESS__
#define __libc_malloc __interceptor_malloc
#define __libc_calloc __interceptor_calloc
#define __libc_realloc __interceptor_realloc
#define __libc_memalign __interceptor_memalign
#endif

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static _Atomic int64_t left = -1; /* negative: not armed */
static _Atomic int64_t to_fail;
static atomic_bool has_failed;

void failing_malloc_arm(uint64_t countdown, uint64_t n)
{
    atomic_store(&has_failed, false);
    atomic_store(&to_fail, (int64_t)n);
    atomic_store(&left, (int64_t)countdown);
}

bool failing_malloc_disarm(void)
{
    atomic_store(&left, -1);
    return atomic_load(&has_failed);
}

static bool fails(void)
{
    if (atomic_load(&left) < 0) {
        return false;
    }
    if (atomic_fetch_sub(&left, 1) > 1) {
        return false;
    }
    atomic_store(&left, 1); /* stays due until enough have failed */
    if (atomic_fetch_sub(&to_fail, 1) <= 0) {
        atomic_store(&left, -1);
        return false;
    }
    atomic_store(&has_failed, true);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    void *memory = fails() ? NULL : __libc_memalign(alignment, size);

    if (memory == NULL) {
        return ENOMEM;
    }
    *ret_memory = memory;
    return 0;
}

char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy == NULL ? NULL : memcpy(copy, text, size);
}

char *strndup(const char *text, size_t max)
{
    size_t length = strnlen(text, max);
    char *copy = malloc(length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}
