/* SPDX-License-Identifier: Apache-2.0 */
/* muster-echo-server: a gRPC server in C core that answers with what it got,
 * and misbehaves as it is told to. README.md has more. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include "control.h"
#include "echo.h"
#include "faults.h"
#include "health.h"
#include "options.h"
#include "session.h"
#include "tls.h"

#define GRACE_MS 1000

static grpc_server *server;
static grpc_completion_queue *queue;
static char stopped_tag; /* the address is what counts */

static void *wait_for_signal(void *arg)
{
    int number;

    (void)sigwait(arg, &number);
    /* Who watches would do so until the end of the grace. */
    health_fail(GRPC_STATUS_UNAVAILABLE);
    grpc_server_shutdown_and_notify(server, queue, &stopped_tag);
    gpr_sleep_until(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                 gpr_time_from_millis(GRACE_MS, GPR_TIMESPAN)));
    grpc_server_cancel_all_calls(server);
    return NULL;
}

static void serve(void)
{
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue, faults_next_due(), NULL);

        if (event.type == GRPC_OP_COMPLETE && event.tag == &stopped_tag) {
            return;
        }
        if (event.type == GRPC_OP_COMPLETE) {
            session_handle(&event);
        }
        echo_resume();
    }
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, arg) != 0) {
        abort();
    }
    (void)pthread_detach(thread);
}

static int listen_somewhere(void)
{
    grpc_server_credentials *credentials = tls_create_credentials();
    char address[160];
    int port;

    if (chosen.unix_path != NULL) {
        (void)snprintf(address, sizeof address, "unix:%s", chosen.unix_path);
    } else {
        (void)snprintf(address, sizeof address, "%s:%d", chosen.address,
                       chosen.port);
    }
    port = grpc_server_add_http2_port(server, address, credentials);
    grpc_server_credentials_release(credentials);
    if (port == 0) {
        (void)fprintf(stderr, "muster-echo-server: cannot listen on %s%s\n",
                      address,
                      chosen.tls_certificate == NULL
                          ? ""
                          : ", or not with these certificates");
        exit(1);
    }
    return chosen.unix_path == NULL ? port : 0;
}

static void create_server(void)
{
    grpc_arg list[OPTIONS_MAX_ARGUMENTS + 1];
    const grpc_channel_args args = {.num_args = chosen.n_arguments + 1,
                                    .args = list};

    list[0] = (grpc_arg){.type = GRPC_ARG_INTEGER, .key = "grpc.so_reuseport"};
    memcpy(list + 1, chosen.arguments,
           chosen.n_arguments * sizeof *chosen.arguments);
    server = grpc_server_create(&args, NULL);
    queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queue, NULL);
    echo_register(server);
    if (chosen.n_services > 0) {
        health_register(server);
    }
}

/* "NAME=STATUS" */
static void set_services(void)
{
    for (size_t i = 0; i < chosen.n_services; i++) {
        const char *text = chosen.services[i];
        const char *equals = strchr(text, '=');
        char name[128];

        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
        (void)health_set(name, equals + 1);
    }
}

static void ask_for_calls(void)
{
    echo_ask(server, queue);
    if (chosen.n_services > 0) {
        health_ask(server, queue);
    }
}

static void block_signals(sigset_t *ret_ending)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(ret_ending);
    (void)sigaddset(ret_ending, SIGTERM);
    (void)sigaddset(ret_ending, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ret_ending, NULL);
}

int main(int argc, char **argv)
{
    sigset_t ending;

    options_read(argc, argv);
    if (chosen.ends_with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    }
    block_signals(&ending);
    grpc_init();
    create_server();
    set_services();
    const int port = listen_somewhere();
    grpc_server_start(server);
    ask_for_calls();
    (void)printf("PORT %d\n", port);
    (void)fflush(stdout);
    start_thread(control_run, NULL);
    start_thread(wait_for_signal, &ending);
    serve();
    return 0;
}
