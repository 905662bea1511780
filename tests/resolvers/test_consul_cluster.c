/* SPDX-License-Identifier: Apache-2.0 */
/* Three Consul servers, and the leader lost. */
#include <criterion/criterion.h>

#include <muster/plugin.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "consul.h"
#include "watched.h"

const muster_plugin *muster_builtin_consul(void);

enum {
    N_SERVERS = 3,
    WAIT_MS = 10000,
    VOTES_MS = 30000,
    TARGET_SIZE = 128,
    ANSWER_SIZE = 8192,
    POLL_MS = 50
};

static consul servers[N_SERVERS];
static watched watch;

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

/* "Voter": true, with or without blanks. */
static void await_votes(void)
{
    static char answer[ANSWER_SIZE];

    for (int i = 0; i < VOTES_MS / POLL_MS; i++) {
        answer[0] = '\0';
        if (consul_request(&servers[0], "GET",
                           "/v1/operator/raft/configuration", NULL, answer,
                           sizeof answer) &&
            count(answer, "\"Voter\": true") +
                    count(answer, "\"Voter\":true") ==
                N_SERVERS) {
            return;
        }
        (void)poll(NULL, 0, POLL_MS);
    }
    cr_assert_fail("the servers have no votes: %s", answer);
}

static void begin(void)
{
    muster_error err;

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    for (int i = 0; i < N_SERVERS; i++) {
        const consul_options options = {.has_data = true,
                                        .leader = i > 0 ? &servers[0] : NULL};

        cr_assert(consul_start(&servers[i], &options));
    }
    await_votes();
}

static void end(void)
{
    watched_end(&watch);
    for (int i = 0; i < N_SERVERS; i++) {
        consul_fini(&servers[i]);
    }
}

TestSuite(consul_cluster, .init = begin, .fini = end, .timeout = 110);

Test(consul_cluster, keeps_the_list_while_there_is_no_leader)
{
    char target[TARGET_SIZE];
    muster_error err;

    cr_assert(consul_register(&servers[1], "a", "web", "10.0.0.1", 80, NULL));
    (void)snprintf(target, sizeof target, "consul://%s/web",
                   servers[1].address);
    cr_assert(watched_begin(&watch, target, &err), "%s", err.message);
    cr_assert(watched_await_list(&watch, "10.0.0.1:80", WAIT_MS));
    consul_kill(&servers[0]);
    (void)poll(NULL, 0, 1000); /* the others notice, and elect */
    cr_assert(consul_register(&servers[1], "b", "web", "10.0.0.2", 80, NULL));
    cr_assert(watched_await_list(&watch, "10.0.0.1:80 10.0.0.2:80", 40000),
              "have %s; %s", watched_get(&watch).addresses,
              watched_get(&watch).message);
    printf("consul: a leader lost: %llu failures, %llu lists\n",
           (unsigned long long)watched_get(&watch).n_errors,
           (unsigned long long)watched_get(&watch).n_lists);
    cr_assert_eq(watched_get(&watch).n_lists, 2); /* and none in between */
}
