/* SPDX-License-Identifier: Apache-2.0 */
/* Which server a call was on, by the port that it listens on. */
#include "server_port.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checked(unsigned long port)
{
    return port > 65535 ? 0 : (int)port;
}

int server_port(const char *peer)
{
    const char *colon = peer == NULL ? NULL : strrchr(peer, ':');

    return colon == NULL ? 0 : checked(strtoul(colon + 1, NULL, 10));
}

int server_port_of_failed(const char *peer, const char *message)
{
    unsigned port = 0;

    if (peer != NULL) {
        return server_port(peer);
    }
    if (message != NULL) {
        (void)sscanf(message, "%*[^ ] %*[0-9.]:%u:", &port);
    }
    return checked(port);
}
