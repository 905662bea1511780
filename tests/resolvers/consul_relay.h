/* SPDX-License-Identifier: Apache-2.0 */
/* A real agent that speaks TLS, behind a relay that counts its connections, and
 * watches that begin one after another. */
#ifndef MUSTER_TESTS_CONSUL_RELAY_H
#define MUSTER_TESTS_CONSUL_RELAY_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include <muster/plugin.h>

#include "certificates.h"
#include "consul.h"
#include "h2_relay.h"
#include "watched.h"

enum { RELAY_TEXT_SIZE = 512 };

static consul agent;
static certificates set;
static h2_relay *relay;

/* The agent's service "web" is 10.0.0.1:80. */
static inline void relay_begin(muster_plugin_entry_fn resolver)
{
    static char config[RELAY_TEXT_SIZE];
    static certificates_path ca; /* the agent's options point to it */
    muster_error err;

    cr_assert(certificates_make(&set));
    ca = certificates_find(&set, "ca");
    (void)snprintf(config, sizeof config,
                   "\"ca_file\": \"%s\", \"cert_file\": \"%s\", "
                   "\"key_file\": \"%s\"",
                   ca.text, certificates_find(&set, "server").text,
                   certificates_find(&set, "server-key").text);
    (void)setenv("CONSUL_CACERT", ca.text, 1);
    cr_assert_eq(muster_plugin_register(resolver, &err), MUSTER_OK, "%s",
                 err.message);
    cr_assert(consul_start(&agent,
                           &(consul_options){.config = config, .ca = ca.text}));
    cr_assert(consul_put_catalog(&agent, "web", "10.0.0.1", 80));
    relay = h2_relay_start(agent.ports[0].number);
    cr_assert_not_null(relay);
}

static inline void relay_end(watched *watches, int n)
{
    for (int i = 0; i < n; i++) {
        watched_end(&watches[i]);
    }
    h2_relay_stop(relay);
    consul_fini(&agent);
    certificates_remove(&set);
}

/* They ask for the same service, each in its own way. */
static inline void relay_watch(watched *watches, int from, int to,
                               const char *options)
{
    char target[RELAY_TEXT_SIZE];
    muster_error err;

    for (int i = from; i < to; i++) {
        (void)snprintf(target, sizeof target,
                       "consul://%s/web?tls=on&limit=%d%s",
                       h2_relay_address(relay), i + 1, options);
        cr_assert(watched_begin(&watches[i], target, &err), "%s", err.message);
    }
}

static inline void relay_expect(watched *watches, int from, int to,
                                int timeout_ms)
{
    for (int i = from; i < to; i++) {
        cr_assert(watched_await_list(&watches[i], "10.0.0.1:80", timeout_ms),
                  "target %d: %s", i, watched_get(&watches[i]).message);
    }
}

#endif
