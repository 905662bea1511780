/* SPDX-License-Identifier: Apache-2.0 */
/* --retry and --hedge: a service config in two options. */
#include "repeating.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/service_config.h>

#include "../duration.h"

#define ALL "{\"methodConfig\": [{\"name\": [{}], "

char *repeating_retry(const char *text)
{
    char *config = NULL;

    if (strlen(text) != 1 || text[0] < '2' || text[0] > '5' ||
        asprintf(&config,
                 ALL "\"retryPolicy\": {\"maxAttempts\": %s, "
                     "\"initialBackoff\": \"0.05s\", \"maxBackoff\": \"1s\", "
                     "\"backoffMultiplier\": 2, "
                     "\"retryableStatusCodes\": [\"UNAVAILABLE\"]}}]}",
                 text) < 0) {
        return NULL;
    }
    return config;
}

static int write_hedging(char **ret_config, const char *key, const char *before,
                         const char *delay, const char *after)
{
    return asprintf(ret_config,
                    ALL "\"hedgingPolicy\": {\"maxAttempts\": 2, "
                        "\"nonFatalStatusCodes\": [\"UNAVAILABLE\"], %s"
                        "\"%s\": \"%s\"%s}}]}",
                    before, key, delay, after);
}

static char *by_percentile(const char *text)
{
    char *config = NULL;

    if (strpbrk(text, "\"\\") != NULL ||
        write_hedging(&config, "hedgingDelay", "\"muster\": {", text, "}") <
            0) {
        return NULL;
    }
    if (muster_service_config_check(config, strlen(config), NULL, NULL, NULL) !=
        MUSTER_OK) {
        free(config);
        return NULL;
    }
    return config;
}

char *repeating_hedge(const char *text)
{
    char *config = NULL;
    char delay[32];
    uint64_t ms;

    if (text[0] == 'p') {
        return by_percentile(text);
    }
    if (!duration_parse(text, &ms)) {
        return NULL;
    }
    (void)snprintf(delay, sizeof delay, "%" PRIu64 ".%03" PRIu64 "s", ms / 1000,
                   ms % 1000);
    return write_hedging(&config, "hedgingDelay", "", delay, "") < 0 ? NULL
                                                                     : config;
}
