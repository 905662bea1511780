/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the folder resolver in virtual time, on a folder of its own. */
#define _POSIX_C_SOURCE 200809L
#include <muster/testkit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

const muster_plugin *muster_builtin_folder(void);

static void touch(const char *name)
{
    FILE *file = fopen(name, "w");

    if (file == NULL || fclose(file) != 0) {
        perror(name);
        exit(EXIT_FAILURE);
    }
}

/* Whether the count-th answer is a list of n, of which address is the last. */
static int answers(muster_testkit_resolver *kit, uint64_t count, size_t n,
                   const char *address)
{
    const muster_testkit_resolver_seen *seen;

    if (muster_testkit_resolver_await(kit, count, PATIENCE_MS) != MUSTER_OK) {
        return 0;
    }
    seen = muster_testkit_resolver_get(kit);
    return seen->n_failures == 0 && seen->n_endpoints == n &&
           strcmp(seen->endpoints[n - 1].address, address) == 0;
}

int main(void)
{
    char folder[] = "/tmp/folder-test-XXXXXX";
    const muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_folder(),
        .path = mkdtemp(folder),
    };
    muster_testkit_resolver *kit;
    int is_good;

    if (options.path == NULL || chdir(folder) != 0 ||
        muster_testkit_resolver_create(&options, &kit, NULL) != MUSTER_OK) {
        return EXIT_FAILURE;
    }
    touch("10.0.0.1:1");
    muster_testkit_resolver_start(kit);
    is_good = answers(kit, 1, 1, "10.0.0.1:1");
    touch("10.0.0.2:1");
    muster_testkit_resolver_advance(kit, 1000); /* a second passes */
    is_good = is_good && answers(kit, 2, 2, "10.0.0.2:1");
    muster_testkit_resolver_destroy(kit); /* aborts if a rule was broken */
    (void)unlink("10.0.0.1:1");
    (void)unlink("10.0.0.2:1");
    (void)rmdir(folder);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
