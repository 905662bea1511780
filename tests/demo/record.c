/* SPDX-License-Identifier: Apache-2.0 */
/* Who served what, and what failed. */
#include "demo.h"

#include <stdio.h>
#include <time.h>

#include "server_port.h"

uint64_t demo_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static demo_backend *backend_by_port(demo_world *demo, int port)
{
    for (int i = 0; i < DEMO_BACKENDS && port != 0; i++) {
        if (demo->backends[i].process.port == port) {
            return &demo->backends[i];
        }
    }
    return NULL;
}

demo_backend *demo_backend_by_address(demo_world *demo, const char *address)
{
    return backend_by_port(demo, server_port(address));
}

static void record_first(demo_world *demo, demo_backend *server)
{
    uint64_t added_ns = atomic_exchange(&server->added_ns, 0);

    if (added_ns != 0) {
        uint32_t i = atomic_fetch_add(&demo->n_delays, 1);
        if (i < DEMO_MAX_DELAYS) {
            demo->delays_us[i] = (demo_now_ns() - added_ns) / 1000;
        }
    }
}

void demo_record(demo_world *demo, const char *address, bool is_ok,
                 const char *message)
{
    int port =
        is_ok ? server_port(address) : server_port_of_failed(address, message);
    demo_backend *server = backend_by_port(demo, port);

    atomic_fetch_add(&demo->n_calls, 1);
    if (is_ok && server != NULL) {
        atomic_fetch_add(&server->n_calls, 1);
        if (atomic_load(&server->added_ns) != 0) {
            record_first(demo, server);
        }
    } else if (server != NULL && atomic_load(&server->is_killed)) {
        atomic_fetch_add(&server->n_failed, 1);
        atomic_fetch_add(&demo->n_failed_on_killed, 1);
    } else if (!is_ok) {
        atomic_fetch_add(&demo->n_failed_outside, 1);
        (void)fprintf(stderr, "failed on %s: %s\n",
                      address == NULL ? "no endpoint" : address,
                      message == NULL ? "" : message);
    }
}
