/* SPDX-License-Identifier: Apache-2.0 */
/* TLS with the default roots to many endpoints: how long until all are READY,
 * and what a connection costs in memory, beside bare C core channels in the
 * same process. The bar is a ratio of 1.15.
 *   muster-bench-tls [--quick] [--json] */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <muster/grpc.h>

#include "backend.h"
#include "certificates.h"
#include "figure.h"

enum { MAX_ENDPOINTS = 200, MAX_ROUNDS = 9, TARGET_SIZE = 32 * MAX_ENDPOINTS };

#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"
#define SERVER_NAME "localhost"

/* Of one round. */
typedef struct cost {
    double ms; /* until all were READY */
    double kb; /* of memory in use, each */
} cost;

static unsigned n_endpoints;
static int port;

static void die(const char *what)
{
    (void)fprintf(stderr, "bench tls: %s\n", what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* All arenas, and what is mapped for itself. */
static double kb_in_use(void)
{
    const struct mallinfo2 info = mallinfo2();

    return (double)(info.uordblks + info.hblkhd) / 1024;
}

/* ---- muster ---- */

static void append_addresses(char *target, size_t size)
{
    size_t length = strlen(target);

    for (unsigned i = 1; i <= n_endpoints; i++) {
        length +=
            (size_t)snprintf(target + length, size - length, "%s127.0.0.%u:%d",
                             i == 1 ? "" : ",", i, port);
    }
}

static muster_channel *open_muster(void)
{
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options, .tls = &tls};
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .authority = SERVER_NAME};
    static char target[TARGET_SIZE];
    muster_channel *channel = NULL;
    muster_error err;

    (void)snprintf(target, sizeof target, "static:///");
    append_addresses(target, sizeof target);
    if (muster_grpc_channel_create(target, &options, &grpc_options, &channel,
                                   &err) != MUSTER_OK) {
        die(err.message);
    }
    return channel;
}

static cost measure_muster(void)
{
    const double before_kb = kb_in_use();
    const double begun_ms = now_ms();
    const struct timespec pause = {0, 1000000};
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_channel *channel = open_muster();
    cost taken;

    /* Looked at each millisecond: looking takes the control thread's time. */
    while (muster_channel_get_stats(channel, &stats) == MUSTER_OK &&
           stats.ready < n_endpoints) {
        (void)nanosleep(&pause, NULL);
    }
    taken.ms = now_ms() - begun_ms;
    taken.kb = (kb_in_use() - before_kb) / n_endpoints;
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
        (void)nanosleep(&pause, NULL);
    }
    return taken;
}

/* ---- bare C core ---- */

static grpc_channel *open_core(unsigned number,
                               grpc_channel_credentials *credentials)
{
    grpc_arg list[2];
    const grpc_channel_args args = {.num_args = 2, .args = list};
    char target[64];

    memset(list, 0, sizeof list);
    list[0].type = GRPC_ARG_INTEGER;
    list[0].key = (char *)(size_t)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL;
    list[0].value.integer = 1;
    list[1].type = GRPC_ARG_STRING;
    list[1].key = (char *)(size_t)GRPC_ARG_DEFAULT_AUTHORITY;
    list[1].value.string = (char *)(size_t)SERVER_NAME;
    (void)snprintf(target, sizeof target, "ipv4:127.0.0.%u:%d", number, port);
    return grpc_channel_create(target, credentials, &args);
}

static void watch(grpc_channel *channel, grpc_completion_queue *queue)
{
    const grpc_connectivity_state state =
        grpc_channel_check_connectivity_state(channel, 1);

    grpc_channel_watch_connectivity_state(
        channel, state, gpr_inf_future(GPR_CLOCK_MONOTONIC), queue, channel);
}

/* Until all are READY; the tag of a watch is its channel. */
static void await_ready(grpc_completion_queue *queue)
{
    unsigned n_ready = 0;

    while (n_ready < n_endpoints) {
        grpc_event event = grpc_completion_queue_next(
            queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

        if (grpc_channel_check_connectivity_state(event.tag, 0) ==
            GRPC_CHANNEL_READY) {
            n_ready++;
        } else {
            watch(event.tag, queue);
        }
    }
}

static void end_queue(grpc_completion_queue *queue)
{
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue,
                                      gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
               .type != GRPC_QUEUE_SHUTDOWN) {
        /* Dropped. */
    }
    grpc_completion_queue_destroy(queue);
}

static cost measure_core(void)
{
    const double before_kb = kb_in_use();
    const double begun_ms = now_ms();
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_channel_credentials *credentials =
        grpc_ssl_credentials_create_ex(NULL, NULL, NULL, NULL);
    grpc_channel *channels[MAX_ENDPOINTS];
    cost taken;

    for (unsigned i = 0; i < n_endpoints; i++) {
        channels[i] = open_core(i + 1, credentials);
        watch(channels[i], queue);
    }
    await_ready(queue);
    taken.ms = now_ms() - begun_ms;
    taken.kb = (kb_in_use() - before_kb) / n_endpoints;
    for (unsigned i = 0; i < n_endpoints; i++) {
        grpc_channel_destroy(channels[i]);
    }
    grpc_channel_credentials_release(credentials);
    end_queue(queue);
    return taken;
}

/* ---- both ---- */

static int compare(const void *a, const void *b)
{
    const double left = *(const double *)a;
    const double right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}

static void run(unsigned n_rounds)
{
    double ms[2][MAX_ROUNDS];
    double kb[2][MAX_ROUNDS];

    /* What the process has once, the roots above all, is there afterwards. */
    (void)measure_core();
    (void)measure_muster();
    for (unsigned i = 0; i < n_rounds; i++) {
        const cost mine = measure_muster();
        const cost core = measure_core();

        ms[0][i] = mine.ms;
        ms[1][i] = core.ms;
        kb[0][i] = mine.kb;
        kb[1][i] = core.kb;
    }
    figure_print_beside("tls.ready", median(ms[0], n_rounds), "ms", "C core",
                        median(ms[1], n_rounds));
    figure_print_beside("tls.memory", median(kb[0], n_rounds), "KB", "C core",
                        median(kb[1], n_rounds));
}

/* As large as those of an operating system, with the server's authority. */
static void make_roots(const certificates *made)
{
    const certificates_path ca = certificates_find(made, "ca");
    const certificates_path roots = certificates_find(made, "roots");
    const char *const parts[] = {ca.text, SYSTEM_ROOTS};
    FILE *to = fopen(roots.text, "we");

    for (int i = 0; to != NULL && i < 2; i++) {
        FILE *from = fopen(parts[i], "re");

        for (int c; from != NULL && (c = getc(from)) != EOF;) {
            (void)putc(c, to);
        }
        if (from != NULL) {
            (void)fclose(from);
        }
    }
    if (to == NULL || fclose(to) != 0 ||
        setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", roots.text, 1) != 0) {
        die("cannot write the roots");
    }
}

static void start_server(backend *server, const certificates *made)
{
    const certificates_path ca = certificates_find(made, "ca");
    const certificates_path certificate = certificates_find(made, "server");
    const certificates_path key = certificates_find(made, "server-key");
    const char *const flags[] = {"--address",
                                 "0.0.0.0",
                                 "--tls-certificate",
                                 certificate.text,
                                 "--tls-key",
                                 key.text,
                                 "--tls-client-ca",
                                 ca.text,
                                 "--tls-client-certificate",
                                 "none",
                                 NULL};

    if (!backend_start(server, flags)) {
        die("the server does not start");
    }
    port = server->port;
}

int main(int argc, char **argv)
{
    certificates made;
    backend server;

    figure_init(&argc, argv);
    n_endpoints = figure_is_quick() ? 10 : MAX_ENDPOINTS;
    if (!certificates_make(&made)) {
        die("cannot make certificates");
    }
    make_roots(&made);
    start_server(&server, &made);
    grpc_init();
    run(figure_is_quick() ? 1 : MAX_ROUNDS);
    backend_kill(&server);
    certificates_remove(&made);
    return 0;
}
