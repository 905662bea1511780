/* SPDX-License-Identifier: Apache-2.0 */
/* Authorities and certificates of both sides are replaced under calls and
 * streams: none of them fails, and soon every connection is one that was made
 * with the new ones, as the servers see it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer_reader.h>

#include "certificates.h"
#include "cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"
#include "stream.h"

enum {
    N_SERVERS = 4,
    ALL = (1 << N_SERVERS) - 1,
    N_CALLERS = 32,
    N_STREAMS = 16,
    MAX_NAME = 64,
    QUICK_INTERVAL_MS = 50,
    LIMIT_MS = 30000,
    PATIENCE_S = 120
};

/* What is in use has names that end in "now". */
static certificates made;
static cluster c;

/* ---- files ---- */

static void put(const char *name, int generation, const char *place)
{
    char from[MAX_NAME];

    (void)snprintf(from, sizeof from, "%s-%d", name, generation);
    cr_assert(certificates_replace(&made, from, place));
}

static void put_pair(const char *name, int generation, const char *place)
{
    char from[MAX_NAME];

    (void)snprintf(from, sizeof from, "%s-%d", name, generation);
    cr_assert(certificates_replace_pair(&made, from, place));
}

static void make_files(int n_generations)
{
    cr_assert(certificates_make(&made));
    cr_assert(certificates_add_generations(&made, n_generations));
    put("ca", 0, "server-ca-now");
    put("ca", 0, "client-ca-now");
    put_pair("server", 0, "server-now");
    put_pair("client", 0, "client-now");
}

/* ---- servers and the channel ---- */

static void open_channel(const char *const *flags)
{
    const certificates_path ca = certificates_find(&made, "server-ca-now");
    const certificates_path certificate =
        certificates_find(&made, "client-now");
    const certificates_path key = certificates_find(&made, "client-now-key");
    const muster_grpc_tls_options tls = {
        .struct_size = sizeof tls,
        .ca_file = ca.text,
        .certificate_file = certificate.text,
        .key_file = key.text,
        .reload_interval_ms = scale_is_full() ? 0 : QUICK_INTERVAL_MS};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options, .tls = &tls};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .authority = "localhost",
                                            .policy = "round_robin",
                                            .policy_config_json =
                                                "{\"strict\": true}"};

    cluster_init_grpc(&c, "certificates", N_SERVERS, flags, &options,
                      &grpc_options);
    cluster_list_ready(&c, ALL);
}

static void open_all(void)
{
    const certificates_path certificate =
        certificates_find(&made, "server-now");
    const certificates_path key = certificates_find(&made, "server-now-key");
    const certificates_path ca = certificates_find(&made, "client-ca-now");
    const char *const flags[] = {"--tls-certificate",
                                 certificate.text,
                                 "--tls-key",
                                 key.text,
                                 "--tls-client-ca",
                                 ca.text,
                                 "--tls-client-certificate",
                                 "require-and-verify",
                                 NULL};

    open_channel(flags);
}

/* ---- whom the servers see ---- */

typedef struct sight {
    int port;            /* of the server */
    char name[MAX_NAME]; /* the common name in the client's certificate */
} sight;

static void read_name(grpc_byte_buffer *answer, char name[MAX_NAME])
{
    char text[256] = "";
    grpc_byte_buffer_reader reader;
    grpc_slice slice;

    cr_assert(grpc_byte_buffer_reader_init(&reader, answer));
    slice = grpc_byte_buffer_reader_readall(&reader);
    (void)snprintf(text, sizeof text, "%.*s", (int)GRPC_SLICE_LENGTH(slice),
                   (const char *)GRPC_SLICE_START_PTR(slice));
    grpc_slice_unref(slice);
    grpc_byte_buffer_reader_destroy(&reader);
    cr_assert_eq(sscanf(text, "%*s %63s", name), 1, "%s", text);
}

/* Of whichever server is the next. */
static sight ask_who_i_am(void)
{
    muster_call *call = NULL;
    muster_call_result result = {.struct_size = sizeof result};
    sight seen = {0};

    cr_assert_eq(
        muster_call_create(c.channel, "/echo.Echo/Peer", NULL, &call, NULL),
        MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    muster_call_get_result(call, &result);
    cr_assert_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    read_name(result.response, seen.name);
    seen.port = atoi(strrchr(muster_call_peer(call), ':') + 1);
    muster_call_destroy(call);
    return seen;
}

/* The bits of the servers that saw the client as name, when asked until each
 * has answered; a server that saw it as another has no bit. */
static unsigned seen_as(const char *name)
{
    unsigned asked = 0;
    unsigned good = ALL;

    while (asked != ALL) {
        const sight seen = ask_who_i_am();

        for (unsigned i = 0; i < N_SERVERS; i++) {
            if (c.servers[i].port == seen.port) {
                asked |= 1u << i;
                good &= strcmp(seen.name, name) == 0 ? ALL : ~(1u << i);
            }
        }
    }
    return good;
}

static uint64_t sum_of(const char *count)
{
    uint64_t sum = 0;

    for (int i = 0; i < N_SERVERS; i++) {
        sum += backend_count(&c.servers[i], count);
    }
    return sum;
}

/* Until n connections have been made since there were accepted of them, one
 * for each server is left, and that is the one of name. */
static void await_new(uint64_t accepted, const char *name)
{
    const uint64_t end_ns = now_ns() + PATIENCE_S * UINT64_C(1000000000);

    while (sum_of("accepted") < accepted + N_SERVERS ||
           sum_of("connections") != N_SERVERS || seen_as(name) != ALL) {
        cr_assert(now_ns() < end_ns, "not all is new");
    }
}

/* ---- replacing ---- */

/* Both authorities are trusted while the pairs of both sides change. Whoever
 * shows that it has the new pairs is seen as the new client; servers show it
 * afterwards, when the old authority is trusted no more. */
static double replace_pairs(int generation, const char *name)
{
    const uint64_t accepted = sum_of("accepted");
    const uint64_t begin_ns = now_ns();
    uint64_t took_ns;

    put("both-ca", generation, "server-ca-now");
    put("both-ca", generation, "client-ca-now");
    put_pair("server", generation, "server-now");
    put_pair("client", generation, "client-now");
    await_new(accepted, name);
    took_ns = now_ns() - begin_ns;
    cr_expect_leq(took_ns, limit_ns(LIMIT_MS));
    return (double)took_ns / 1e9;
}

static double replace_authorities(int generation, const char *name)
{
    const uint64_t accepted = sum_of("accepted");
    const uint64_t begin_ns = now_ns();
    uint64_t took_ns;

    put("ca", generation, "client-ca-now");
    put("ca", generation, "server-ca-now");
    while (sum_of("accepted") < accepted + N_SERVERS) {
        /* Nobody is seen as the old client again. */
        cr_assert_eq(seen_as(name), ALL);
    }
    await_new(accepted, name);
    took_ns = now_ns() - begin_ns;
    cr_expect_leq(took_ns, limit_ns(LIMIT_MS));
    return (double)took_ns / 1e9;
}

static void replace_all(int n_generations)
{
    for (int i = 1; i < n_generations; i++) {
        char name[MAX_NAME];
        double pairs_s;
        double authorities_s;

        (void)snprintf(name, sizeof name, "client-%d", i);
        pairs_s = replace_pairs(i, name);
        authorities_s = replace_authorities(i, name);
        (void)printf("generation %d: pairs of both sides in %.1f s, "
                     "authorities in %.1f s\n",
                     i, pairs_s, authorities_s);
    }
}

static void expect_no_failure(load *calls, stream_load *streams)
{
    stream_load_stop(streams);
    load_stop(calls);
    (void)printf("%lu calls (%lu failed), %lu streams (%lu failed), %lu "
                 "connections made, %lu attempts failed\n",
                 load_ended(calls), load_failed(calls),
                 stream_load_ended(streams), stream_load_failed(streams),
                 sum_of("accepted"), cluster_stats(&c).connections_failed);
    cr_expect_eq(load_failed(calls), 0);
    cr_expect_eq(stream_load_failed(streams), 0);
    cr_expect_gt(stream_load_ended(streams), 0);
}

Test(certificates, are_replaced_under_load_and_no_call_fails)
{
    const int n_generations = (int)scale(3, 7);
    load *calls;
    stream_load *streams;

    make_files(n_generations);
    open_all();
    cr_assert_eq(seen_as("client-0"), ALL);
    calls = load_start_blocking(c.channel, N_CALLERS);
    streams = stream_load_start_short(c.channel, N_STREAMS);
    replace_all(n_generations);
    expect_no_failure(calls, streams);
    load_destroy(calls);
    stream_load_destroy(streams);
    cluster_fini(&c);
    certificates_remove(&made);
}
