/* SPDX-License-Identifier: Apache-2.0 */
/* In each program of the address lane: LeakSanitizer looks for pointers in the
 * globals of all modules, of the sanitizers' own, too. Those are 11 MB of
 * tables (the stack depots of libasan and libubsan) without a pointer of ours,
 * and to read their pages is most of a short program's time. LeakSanitizer asks
 * which modules there are within a callback of dl_iterate_phdr(), by which it
 * holds the loader's lock; so asked, this one leaves these two out.
 * https://github.com/google/sanitizers/wiki/AddressSanitizerLeakSanitizer;
 * dl_iterate_phdr(3) */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

typedef int (*module_callback)(struct dl_phdr_info *, size_t, void *);
typedef int (*iterate_function)(module_callback, void *);

typedef struct asked {
    module_callback callback;
    void *arg;
} asked;

static _Thread_local int depth;

__attribute__((visibility("default"))) int
dl_iterate_phdr(module_callback callback, void *arg);

static int pass_on(struct dl_phdr_info *module, size_t size, void *arg)
{
    const asked *what = arg;

    if (strstr(module->dlpi_name, "/libasan.so") != NULL ||
        strstr(module->dlpi_name, "/libubsan.so") != NULL) {
        return 0;
    }
    return what->callback(module, size, what->arg);
}

/* Nested, it may be on LeakSanitizer's thread while all others are stopped:
 * nothing that takes a lock is called then. */
int dl_iterate_phdr(module_callback callback, void *arg)
{
    static iterate_function iterate;
    asked what = {callback, arg};
    int result;

    if (iterate == NULL) {
        *(void **)&iterate = dlsym(RTLD_NEXT, "dl_iterate_phdr");
    }
    depth++;
    result = depth == 1 ? iterate(callback, arg) : iterate(pass_on, &what);
    depth--;
    return result;
}
