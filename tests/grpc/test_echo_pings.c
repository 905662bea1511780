/* SPDX-License-Identifier: Apache-2.0 */
/* Which pings muster-echo-server bears, as its flags say. They come from bare
 * sockets, as fast as no client of C core would send them. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "h2_frames.h"
#include "loopback_port.h"

enum { ENHANCE_YOUR_CALM = 11, N_PINGS = 10 };

/* The preface of a client, with settings that say nothing. */
static const char opening[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                              "\0\0\0\4\0\0\0\0\0";
static const char ping[17] = "\0\0\10\6\0\0\0\0\0";

static int connect_to(int port)
{
    struct sockaddr_storage address;
    const socklen_t size = loopback_address(AF_INET, port, &address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

/* In one go: a server that has had enough closes, and takes no more. */
static void send_pings(int fd)
{
    char bytes[sizeof opening - 1 + N_PINGS * sizeof ping];
    size_t size = sizeof opening - 1;

    memcpy(bytes, opening, size);
    for (int i = 0; i < N_PINGS; i++) {
        memcpy(bytes + size, ping, sizeof ping);
        size += sizeof ping;
    }
    cr_assert_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Pings, and reads until all are answered, or, when they are too many, until
 * the server closes. */
static h2_frames ping_server(const char *const *flags, bool are_too_many)
{
    backend server;
    uint8_t buffer[512];
    h2_frames answers;
    ssize_t length;
    int fd;

    cr_assert(backend_start(&server, flags));
    fd = connect_to(server.port);
    h2_frames_init(&answers, false);
    send_pings(fd);
    do {
        length = read(fd, buffer, sizeof buffer);
        if (length > 0) {
            h2_frames_read(&answers, buffer, (size_t)length, 0);
        }
    } while (length > 0 &&
             (are_too_many || answers.n_frames[H2_PING] < N_PINGS));
    (void)close(fd);
    backend_kill(&server);
    return answers;
}

Test(echo_pings, are_answered_when_they_are_not_too_early)
{
    static const char *const flags[] = {"--min-ping-interval-ms", "0",
                                        "--keepalive-permit-without-calls",
                                        NULL};
    const h2_frames answers = ping_server(flags, false);

    cr_expect_eq(answers.n_frames[H2_PING], N_PINGS);
    cr_expect_eq(answers.n_frames[H2_GOAWAY], 0);
}

Test(echo_pings, are_too_many_when_they_are_early)
{
    static const char *const flags[] = {"--min-ping-interval-ms", "60000",
                                        "--keepalive-permit-without-calls",
                                        NULL};

    cr_expect_eq(ping_server(flags, true).goaway_code, ENHANCE_YOUR_CALM);
}

Test(echo_pings, are_too_many_without_a_call_unless_permitted)
{
    static const char *const flags[] = {"--min-ping-interval-ms", "0", NULL};

    cr_expect_eq(ping_server(flags, true).goaway_code, ENHANCE_YOUR_CALM);
}

Test(echo_pings, may_be_as_early_as_the_strikes_allow)
{
    static const char *const flags[] = {
        "--min-ping-interval-ms",           "60000", "--max-ping-strikes", "20",
        "--keepalive-permit-without-calls", NULL};
    const h2_frames answers = ping_server(flags, false);

    cr_expect_eq(answers.n_frames[H2_PING], N_PINGS);
    cr_expect_eq(answers.n_frames[H2_GOAWAY], 0);
}

Test(echo_pings, are_never_too_many_without_a_limit_of_strikes)
{
    static const char *const flags[] = {
        "--min-ping-interval-ms",           "60000", "--max-ping-strikes", "0",
        "--keepalive-permit-without-calls", NULL};
    const h2_frames answers = ping_server(flags, false);

    cr_expect_eq(answers.n_frames[H2_PING], N_PINGS);
    cr_expect_eq(answers.n_frames[H2_GOAWAY], 0);
}
