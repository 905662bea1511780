/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a TXT record: what is chosen from it is a JSON object. */
#include "fuzz.h"

#include <dns/txt_config.h>
#include <jansson.h>

static void check_config(const char *json)
{
    json_t *config = json_loads(json, 0, NULL);

    FUZZ_CHECK(json_is_object(config));
    json_decref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    muster__dns_client client = {"host-1", size > 0 ? data[0] % 100U : 0};
    char *text = fuzz_text(data + (size > 0), size - (size > 0));
    const char *texts[] = {"v=spf1 -all", text};
    char *json = NULL;
    muster_error err = {0};
    muster_status status =
        muster__dns_txt_config(texts, 2, &client, &json, &err);

    if (status == MUSTER_OK && json != NULL) {
        check_config(json);
    }
    if (status != MUSTER_OK) {
        FUZZ_CHECK(status == MUSTER_INVAL && json == NULL);
        FUZZ_CHECK(strlen(err.message) > 0);
    }
    free(json);
    free(text);
    return 0;
}
