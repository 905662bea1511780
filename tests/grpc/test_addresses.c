/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with several addresses, of which some are dead, and sockets in the
 * file system. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "calling.h"
#include "limit.h"
#include "loopback_port.h"
#include "script_resolver.h"

enum { DELAY_MS = 250 };

/* Of the family's loopback, with a port that is held and does not listen. */
static loopback_port dead_port(char *ret_address, size_t size)
{
    loopback_port port;

    cr_assert(loopback_port_take(&port, AF_INET));
    (void)snprintf(ret_address, size, "127.0.0.1:%d", port.number);
    return port;
}

/* One endpoint: a dead address before the server's. */
static muster_channel *open_pair(const char *dead, const char *alive)
{
    const muster_endpoint endpoint = {
        .address = dead, .more_addresses = &alive, .n_more_addresses = 1};
    muster_channel *channel;

    script_register();
    channel = open_channel("script:///nameless");
    script_report("nameless", &endpoint, 1);
    return channel;
}

/* How long the first call took, from the list on. */
static uint64_t first_call_ns(const char *dead, const char *alive)
{
    uint64_t begun_ns = now_ns();
    muster_channel *channel = open_pair(dead, alive);

    cr_expect_eq(ask(channel, "hello", &patient, NULL), GRPC_STATUS_OK);
    begun_ns = now_ns() - begun_ns;
    muster_channel_destroy(channel);
    return begun_ns;
}

Test(grpc_addresses, serve_at_once_when_the_first_is_refused)
{
    const char *const flags[] = {"--address", "[::1]", NULL};
    char dead[32];
    loopback_port port = dead_port(dead, sizeof dead);
    uint64_t best_ns = UINT64_MAX;
    backend server;

    cr_assert(backend_start(&server, flags));
    for (int i = 0; i < 5 && best_ns >= limit_ns(DELAY_MS); i++) {
        best_ns = first_call_ns(dead, server.address);
    }
    cr_expect_lt(best_ns, limit_ns(DELAY_MS), "%llu",
                 (unsigned long long)best_ns);
    backend_kill(&server);
    loopback_port_release(&port);
}

/* A port that accepts and says nothing. */
Test(grpc_addresses, serve_after_250_ms_when_the_first_hangs)
{
    const char *const flags[] = {"--address", "[::1]", NULL};
    char dead[32];
    loopback_port port = dead_port(dead, sizeof dead);
    uint64_t best_ns = UINT64_MAX;
    backend server;

    cr_assert_eq(listen(port.holder, 16), 0);
    cr_assert(backend_start(&server, flags));
    for (int i = 0; i < 5 && best_ns >= limit_ns(3 * DELAY_MS); i++) {
        best_ns = first_call_ns(dead, server.address);
        cr_expect_geq(best_ns, DELAY_MS * MILLISECOND);
    }
    cr_expect_lt(best_ns, limit_ns(3 * DELAY_MS), "%llu",
                 (unsigned long long)best_ns);
    backend_kill(&server);
    loopback_port_release(&port);
}

/* ---- a socket in the file system ---- */

typedef struct socket_place {
    char folder[64];
    char path[80];
} socket_place;

static socket_place make_place(void)
{
    const char *parent = getenv("TMPDIR");
    socket_place place;

    (void)snprintf(place.folder, sizeof place.folder, "%s/musterXXXXXX",
                   parent == NULL ? "/tmp" : parent);
    cr_assert_not_null(mkdtemp(place.folder));
    (void)snprintf(place.path, sizeof place.path, "%s/socket", place.folder);
    return place;
}

static void remove_place(const socket_place *place)
{
    (void)unlink(place->path);
    (void)rmdir(place->folder);
}

Test(grpc_addresses, may_be_sockets)
{
    socket_place place = make_place();
    const char *const flags[] = {"--unix", place.path, NULL};
    muster_channel *channel;
    char *answer = NULL;
    backend server;

    cr_assert(backend_start(&server, flags));
    channel = open_channel("static:///%s", server.address);
    cr_expect_eq(ask(channel, "hello", &patient, &answer), GRPC_STATUS_OK);
    cr_expect_str_eq(answer, ":hello"); /* no id */
    free(answer);
    muster_channel_destroy(channel);
    backend_kill(&server);
    remove_place(&place);
}

static char *authority_seen(muster_channel *channel)
{
    muster_call *call = NULL;
    muster_call_result result;
    char *answer;

    cr_assert_eq(muster_call_create(channel, "/echo.Echo/Authority", &patient,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    answer = text_of(result.response);
    muster_call_destroy(call);
    return answer;
}

Test(grpc_addresses, give_the_name_of_the_one_in_use)
{
    socket_place place = make_place();
    const char *const flags[] = {"--unix", place.path, NULL};
    char dead[32];
    loopback_port port = dead_port(dead, sizeof dead);
    muster_channel *channel;
    char *seen;
    backend server;

    cr_assert(backend_start(&server, flags));
    channel = open_pair(dead, server.address);
    seen = authority_seen(channel);
    cr_expect_str_eq(seen, "localhost");
    free(seen);
    muster_channel_destroy(channel);
    backend_kill(&server);
    loopback_port_release(&port);
    remove_place(&place);
}

Test(grpc_addresses, are_named_by_calls_that_fail)
{
    const char *const flags[] = {"--address",  "[::1]", "--tell-calls",
                                 "--delay-ms", "60000", NULL};
    char dead[32];
    loopback_port port = dead_port(dead, sizeof dead);
    muster_call_queue *queue = make_queue();
    muster_call_event event;
    muster_call_result result;
    muster_channel *channel;
    muster_call *call;
    backend server;

    cr_assert(backend_start(&server, flags));
    channel = open_pair(dead, server.address);
    call = make_call(channel, &patient);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    cr_assert(backend_await_call(&server));
    backend_kill(&server);
    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect(strstr(result.message, server.address) != NULL, "%s",
              result.message);
    cr_expect(strstr(result.message, dead) == NULL, "%s", result.message);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    loopback_port_release(&port);
}
