/* SPDX-License-Identifier: Apache-2.0 */
/* Says where the shared agent is in the environment, which tests inherit. */
#include "consul_shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "MUSTER_SHARED_CONSUL"

enum { TEXT_SIZE = 256 };

static consul shared;

void consul_share(const consul_options *options)
{
    char text[TEXT_SIZE];

    if (consul_start(&shared, options)) {
        (void)snprintf(text, sizeof text, "%s %s %s", shared.address,
                       shared.folder, shared.node);
        (void)setenv(VARIABLE, text, 1);
    }
}

void consul_unshare(void)
{
    if (shared.pid != 0) {
        consul_fini(&shared);
    }
}

bool consul_find_shared(consul *ret_consul)
{
    const char *text = getenv(VARIABLE);

    memset(ret_consul, 0, sizeof *ret_consul);
    return text != NULL && sscanf(text, "%63s %63s %39s", ret_consul->address,
                                  ret_consul->folder, ret_consul->node) == 3;
}
