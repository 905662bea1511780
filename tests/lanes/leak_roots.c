/* SPDX-License-Identifier: Apache-2.0 */
/* In each program of the address lane: globals are where LeakSanitizer looks
 * for pointers, but not those of the sanitizers. They are 11 MB of tables (the
 * stack depots of libasan and libubsan), hold no pointer of ours, and to read
 * their pages was two thirds of a short program's time. So it is told to look
 * at no globals, and at a copy of all pointers in the others: one region, since
 * for each it reads /proc/self/maps.
 * https://github.com/google/sanitizers/wiki/AddressSanitizerLeakSanitizer;
 * <sanitizer/lsan_interface.h> */
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <sanitizer/lsan_interface.h>

/* Which LeakSanitizer takes for pointers on 64 bits, and more. */
#define LEAST UINT64_C(0x1000)
#define MOST UINT64_C(0xffffffffffff)

enum { MORE = 1024, WORD = sizeof(uintptr_t) };

__attribute__((visibility("default"))) const char *__lsan_default_options(void);

const char *__lsan_default_options(void)
{
    return "use_globals=0";
}

typedef struct pointers {
    uintptr_t *items; /* room of them */
    size_t n;         /* that were found */
    size_t room;
} pointers;

/* Between two globals there is a poisoned zone. */
__attribute__((no_sanitize("address"))) static void
add_words(pointers *self, uintptr_t first, uintptr_t end)
{
    for (uintptr_t i = first; i < end; i++) {
        const uintptr_t word = *(const uintptr_t *)(i * WORD);

        if (word < LEAST || word > MOST) {
            continue;
        }
        if (self->n < self->room) {
            self->items[self->n] = word;
        }
        self->n++;
    }
}

static int add_module(struct dl_phdr_info *module, size_t size, void *arg)
{
    (void)size;
    if (strstr(module->dlpi_name, "/libasan.so") != NULL ||
        strstr(module->dlpi_name, "/libubsan.so") != NULL) {
        return 0;
    }
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &module->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && (part->p_flags & PF_W) != 0) {
            const uintptr_t begin = module->dlpi_addr + part->p_vaddr;
            const uintptr_t end = begin + part->p_memsz;

            add_words(arg, (begin + WORD - 1) / WORD, end / WORD);
        }
    }
    return 0;
}

/* Runs before LeakSanitizer, which was there first; by now all is loaded. Other
 * threads may still write: MORE pointers than were counted have room. */
static void add_roots(void)
{
    pointers found = {.items = NULL};
    size_t n_bytes;
    void *copy;

    (void)dl_iterate_phdr(add_module, &found);
    n_bytes = (found.n + MORE) * sizeof *found.items;
    copy = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) {
        abort();
    }
    found = (pointers){.items = copy, .room = found.n + MORE};
    (void)dl_iterate_phdr(add_module, &found);
    __lsan_register_root_region(copy, n_bytes);
}

__attribute__((constructor)) static void begin(void)
{
    (void)atexit(add_roots);
}
