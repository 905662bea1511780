/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin author's test outside the tree: drives the example resolver in
 * virtual time. Takes an empty folder. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <muster/testkit.h>

enum { PATIENCE_MS = 5000 };

const muster_plugin *muster_builtin_folder(void);

/* Whether the resolver has reported n addresses, of which text is the first. */
static int has_reported(muster_testkit_resolver *kit, size_t n,
                        const char *text)
{
    const muster_testkit_resolver_seen *seen = muster_testkit_resolver_get(kit);

    return seen->n_failures == 0 && seen->n_endpoints == n &&
           strcmp(seen->endpoints[0].address, text) == 0;
}

static int serves(const char *folder, const char *address)
{
    char path[4096];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, address);
    file = fopen(path, "w");
    return file != NULL && fclose(file) == 0;
}

static int follow(muster_testkit_resolver *kit, const char *folder)
{
    if (!serves(folder, "10.0.0.2:1")) {
        return 0;
    }
    muster_testkit_resolver_start(kit);
    if (muster_testkit_resolver_await(kit, 1, PATIENCE_MS) != MUSTER_OK ||
        !has_reported(kit, 1, "10.0.0.2:1") || !serves(folder, "10.0.0.1:1")) {
        return 0;
    }
    (void)muster_testkit_resolver_advance(kit, 1000);
    return muster_testkit_resolver_await(kit, 2, PATIENCE_MS) == MUSTER_OK &&
           has_reported(kit, 2, "10.0.0.1:1");
}

int main(int argc, char **argv)
{
    muster_testkit_resolver_options options = {
        .struct_size = sizeof options,
        .plugin = muster_builtin_folder(),
        .path = argc > 1 ? argv[1] : "",
    };
    muster_testkit_resolver *kit;
    muster_error err;
    int is_good;

    if (muster_testkit_resolver_create(&options, &kit, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    is_good = follow(kit, options.path);
    muster_testkit_resolver_destroy(kit);
    return is_good ? 0 : 1;
}
