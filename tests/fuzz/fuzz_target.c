/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a target: canonical text reads as itself. */
#include "fuzz.h"

#include <registry.h>
#include <target.h>

static const muster_option_info options[] = {{"interval", "time"}};
static const muster_resolver_class file_class = {
    .scheme = "file",
    .flags = MUSTER_RESOLVER_ABSOLUTE_PATH,
    .options = options,
    .n_options = 1,
};
static const muster_resolver_class other_class = {.scheme = "dns"};

/* A registry of our own: no plugin is loaded from anywhere. */
muster_status muster__registry_find_scheme(const char *scheme)
{
    return strcmp(scheme, "file") == 0 || strcmp(scheme, "dns") == 0
               ? MUSTER_OK
               : MUSTER_NOTFOUND;
}

void muster__registry_list_schemes(char *buffer, size_t size)
{
    (void)snprintf(buffer, size, "dns, file");
}

muster_status muster__registry_resolver(const char *scheme,
                                        const muster_resolver_class **ret_class,
                                        muster__plugin **ret_plugin,
                                        muster_error *err)
{
    (void)err;
    *ret_class = *scheme == 'f' ? &file_class : &other_class;
    *ret_plugin = NULL;
    return MUSTER_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    muster__target *target;
    muster__target *again;
    muster_error err;

    if (muster__target_parse(text, &target, &err) == MUSTER_OK) {
        if (strlen(target->canonical) <= 64 << 10) { /* escapes are longer */
            FUZZ_CHECK(muster__target_parse(target->canonical, &again, &err) ==
                       MUSTER_OK);
            FUZZ_CHECK(strcmp(target->canonical, again->canonical) == 0);
            FUZZ_CHECK(strcmp(target->path, again->path) == 0);
            FUZZ_CHECK(strcmp(target->authority, again->authority) == 0);
            muster__target_destroy(again);
        }
        muster__target_destroy(target);
    }
    free(text);
    return 0;
}
