/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces entries of an object's global offset table. */
#include "call_watch.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Thread_local bool is_watching;
static _Thread_local const char *noticed;

static void notice(const char *name)
{
    if (is_watching && noticed == NULL) {
        noticed = name;
    }
}

void call_watch_begin(void)
{
    noticed = NULL;
    is_watching = true;
}

const char *call_watch_end(void)
{
    is_watching = false;
    return noticed;
}

/* ---- the functions that notice ---- */

static void *watch_malloc(size_t size)
{
    notice("malloc");
    return malloc(size);
}

static void *watch_calloc(size_t n, size_t size)
{
    notice("calloc");
    return calloc(n, size);
}

static void *watch_realloc(void *memory, size_t size)
{
    notice("realloc");
    return realloc(memory, size);
}

static void watch_free(void *memory)
{
    notice("free");
    free(memory);
}

static char *watch_strdup(const char *text)
{
    notice("strdup");
    return strdup(text);
}

static int watch_mutex(pthread_mutex_t *mutex)
{
    notice("pthread_mutex_lock");
    return pthread_mutex_lock(mutex);
}

static int watch_read_lock(pthread_rwlock_t *lock)
{
    notice("pthread_rwlock_rdlock");
    return pthread_rwlock_rdlock(lock);
}

static int watch_write_lock(pthread_rwlock_t *lock)
{
    notice("pthread_rwlock_wrlock");
    return pthread_rwlock_wrlock(lock);
}

static int watch_nanosleep(const struct timespec *time, struct timespec *left)
{
    notice("nanosleep");
    return nanosleep(time, left);
}

static int watch_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    notice("poll");
    return poll(fds, n, timeout_ms);
}

typedef void (*any_fn)(void);

static const struct {
    const char *name;
    any_fn watch;
} watched[] = {
    {"malloc", (any_fn)watch_malloc},
    {"calloc", (any_fn)watch_calloc},
    {"realloc", (any_fn)watch_realloc},
    {"free", (any_fn)watch_free},
    {"strdup", (any_fn)watch_strdup},
    {"pthread_mutex_lock", (any_fn)watch_mutex},
    {"pthread_rwlock_rdlock", (any_fn)watch_read_lock},
    {"pthread_rwlock_wrlock", (any_fn)watch_write_lock},
    {"nanosleep", (any_fn)watch_nanosleep},
    {"poll", (any_fn)watch_poll},
};

/* ---- the table ---- */

#if defined(__x86_64__)
enum { SLOT_TYPE = R_X86_64_JUMP_SLOT, DATA_TYPE = R_X86_64_GLOB_DAT };
#elif defined(__aarch64__)
enum { SLOT_TYPE = R_AARCH64_JUMP_SLOT, DATA_TYPE = R_AARCH64_GLOB_DAT };
#else
enum { SLOT_TYPE = -1, DATA_TYPE = -1 };
#endif

/* What the object says of itself. */
typedef struct object {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * relocations[2]; /* of data, and of functions */
    size_t sizes[2];
} object;

static object read_object(const struct link_map *map)
{
    object self = {.base = map->l_addr};

    for (const ElfW(Dyn) *at = map->l_ld; at->d_tag != DT_NULL; at++) {
        if (at->d_tag == DT_SYMTAB) {
            self.symbols = (const ElfW(Sym) *)at->d_un.d_ptr;
        } else if (at->d_tag == DT_STRTAB) {
            self.strings = (const char *)at->d_un.d_ptr;
        } else if (at->d_tag == DT_RELA) {
            self.relocations[0] = (const ElfW(Rela) *)at->d_un.d_ptr;
        } else if (at->d_tag == DT_RELASZ) {
            self.sizes[0] = at->d_un.d_val;
        } else if (at->d_tag == DT_JMPREL) {
            self.relocations[1] = (const ElfW(Rela) *)at->d_un.d_ptr;
        } else if (at->d_tag == DT_PLTRELSZ) {
            self.sizes[1] = at->d_un.d_val;
        }
    }
    return self;
}

static any_fn find(const char *name)
{
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        if (strcmp(watched[i].name, name) == 0) {
            return watched[i].watch;
        }
    }
    return NULL;
}

/* The table may have been made read-only once it was filled (RELRO). */
static bool put(uintptr_t slot, any_fn function)
{
    uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t page = slot & ~(page_size - 1);

    if (mprotect((void *)page, page_size, PROT_READ | PROT_WRITE) != 0) {
        return false;
    }
    memcpy((void *)slot, &function, sizeof function);
    return true;
}

static bool replace(const object *self, const ElfW(Rela) * relocation)
{
    int type = (int)ELF64_R_TYPE(relocation->r_info);
    const ElfW(Sym) *symbol = &self->symbols[ELF64_R_SYM(relocation->r_info)];
    any_fn function;

    if (type != SLOT_TYPE && type != DATA_TYPE) {
        return true;
    }
    function = find(self->strings + symbol->st_name);
    return function == NULL || put(self->base + relocation->r_offset, function);
}

bool call_watch_install(void *handle)
{
    struct link_map *map = NULL;
    object self;

    if (SLOT_TYPE < 0 || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
        return false;
    }
    self = read_object(map);
    if (self.symbols == NULL || self.strings == NULL) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        size_t n = self.relocations[i] == NULL
                       ? 0
                       : self.sizes[i] / sizeof *self.relocations[i];

        for (size_t k = 0; k < n; k++) {
            if (!replace(&self, &self.relocations[i][k])) {
                return false;
            }
        }
    }
    return true;
}
