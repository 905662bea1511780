/* SPDX-License-Identifier: Apache-2.0 */
/* exit() while channels are there and calls run. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <muster/grpc.h>
#include <muster/muster.h>

#include "backend.h"
#include "calling.h"
#include "certificates.h"
#include "openssl_exit.h"

/* The child of this test's, which is another program, exits in the middle of
 * calls on several threads. What it prints, or dies of, comes back. */
static int exit_in_the_middle(const char *address, char *ret_said, size_t size)
{
    char command[512];
    FILE *stream;
    size_t length;

    (void)snprintf(command, sizeof command,
                   "ASAN_OPTIONS=detect_leaks=0 exec %s %s 2>&1",
                   MUSTER_EXIT_PROGRAM, address);
    stream = popen(command, "re");
    cr_assert_not_null(stream);
    length = fread(ret_said, 1, size - 1, stream);
    ret_said[length] = '\0';
    return pclose(stream);
}

Test(grpc_exit, is_safe_and_quiet_in_the_middle_of_calls)
{
    backend server;
    char said[512];

    cr_assert(backend_start(&server, NULL));
    for (int i = 0; i < 20; i++) {
        int status = exit_in_the_middle(server.address, said, sizeof said);

        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d: %s",
                  status, said);
        cr_expect_str_empty(said);
    }
    backend_kill(&server);
}

/* ---- OpenSSL ---- */

/* It frees at exit() what it has, in the order of atexit(): before a function
 * that was registered before it was initialized, as those of static C++ objects
 * are. What the threads do then is what they may do at any exit(). */

_Static_assert(MUSTER__OPENSSL_INIT_NO_ATEXIT == OPENSSL_INIT_NO_ATEXIT,
               "as in its header");

TestSuite(grpc_exit, .timeout = 60);

enum { ANSWERED = 42, NOT_ANSWERED = 43, LIMIT_MS = 10000 };

static certificates made;
static backend tls_server;
static bool is_exiting;

static grpc_status_code call_over_tls(void)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls,
                                         .ca_file = ca.text};
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .tls = &tls};
    const muster_call_options soon = {.struct_size = sizeof soon,
                                      .flags = MUSTER_CALL_WAIT_FOR_READY,
                                      .deadline_ns =
                                          now_ns() + LIMIT_MS * MILLISECOND};
    muster_channel *channel = NULL;
    grpc_status_code status = GRPC_STATUS_UNAVAILABLE;
    char target[160];

    (void)snprintf(target, sizeof target, "static:///%s", tls_server.address);
    if (muster_grpc_channel_create(target, NULL, &options, &channel, NULL) ==
        MUSTER_OK) {
        status = ask(channel, "x", &soon, NULL);
        muster_channel_destroy(channel);
    }
    return status;
}

static void call_at_exit(void)
{
    grpc_status_code status;

    if (is_exiting) {
        status = call_over_tls();
        backend_kill(&tls_server);
        certificates_remove(&made);
        _exit(status == GRPC_STATUS_OK ? ANSWERED : NOT_ANSWERED);
    }
}

static void call_and_exit(void)
{
    const char *flags[] = {"--tls-certificate", NULL, "--tls-key", NULL, NULL};
    certificates_path certificate;
    certificates_path key;

    cr_assert(certificates_make(&made));
    certificate = certificates_find(&made, "server");
    key = certificates_find(&made, "server-key");
    flags[1] = certificate.text;
    flags[3] = key.text;
    cr_assert(backend_start(&tls_server, flags));
    cr_assert_eq(call_over_tls(), GRPC_STATUS_OK);
    is_exiting = true;
    exit(EXIT_SUCCESS);
}

static void call_at_exit_first(void)
{
    cr_assert_eq(atexit(call_at_exit), 0);
}

Test(grpc_exit, lets_handshakes_go_on, .init = call_at_exit_first,
     .exit_code = ANSWERED)
{
    call_and_exit();
}

Test(grpc_exit, lets_them_in_a_program_that_used_openssl_before,
     .init = call_at_exit_first, .exit_code = ANSWERED)
{
    cr_assert(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL));
    call_and_exit();
}
