/* SPDX-License-Identifier: Apache-2.0 */
/* The admin socket: who is answered, and what. */
#include "admin_fixture.h"

#include <jansson.h>
#include <loop.h>
#include <sys/wait.h>
#include <timing.h>

#include "limit.h"

TestSuite(admin, .timeout = 60);

/* ---- what is answered ---- */

Test(admin, tells_what_process_it_is)
{
    admin_place place;
    json_t *json;
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    json = json_loads(admin_ask(fd, "version\n"), 0, NULL);
    cr_assert_eq(json_integer_value(json_object_get(json, "schema_version")),
                 1);
    cr_assert_str_eq(json_string_value(json_object_get(json, "muster")),
                     muster_version());
    cr_assert_eq(json_integer_value(json_object_get(json, "pid")), getpid());
    cr_assert_str_eq(json_string_value(json_object_get(json, "program")),
                     program_invocation_short_name);
    cr_assert_leq(json_integer_value(json_object_get(json, "time_ms")),
                  (json_int_t)(in_ms(0) / 1000000));
    cr_assert_null(json_object_get(json, "channels"));
    json_decref(json);
    (void)close(fd);
    cr_assert_eq(muster_shutdown(), MUSTER_OK);
    admin_place_remove(&place);
}

Test(admin, gives_each_open_channel_as_its_dump_and_a_number)
{
    muster_channel *first = open_channel("static:///10.0.0.1:1", NULL);
    muster_channel *second = open_channel("script:///second", NULL);
    admin_place place;
    json_t *json;
    const json_t *channels;
    const char *key;
    json_t *dump;
    json_t *value;
    char *text = NULL;
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    json = json_loads(admin_ask(fd, "channels\n"), 0, NULL);
    channels = json_object_get(json, "channels");
    cr_assert_eq(json_array_size(channels), 2);
    cr_assert_eq(muster_channel_dump_json(second, &text), MUSTER_OK);
    dump = json_loads(text, 0, NULL);
    json_object_foreach(dump, key, value)
    {
        cr_assert(json_equal(
            value, json_object_get(json_array_get(channels, 1), key)));
    }
    cr_assert_lt(
        json_integer_value(json_object_get(json_array_get(channels, 0), "id")),
        json_integer_value(json_object_get(json_array_get(channels, 1), "id")));
    free(text);
    json_decref(dump);
    json_decref(json);
    muster_channel_destroy(first);
    json = json_loads(admin_ask(fd, "channels\n"), 0, NULL);
    cr_assert_eq(json_array_size(json_object_get(json, "channels")), 1);
    json_decref(json);
    muster_channel_destroy(second);
    (void)close(fd);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    admin_place_remove(&place);
}

Test(admin, refuses_what_it_does_not_know)
{
    static const char *const requests[] = {"\n", "channel\n", "channels \n",
                                           "{\"a\":1}\n", "\xff\xfe\n"};
    admin_place place;
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        cr_assert_not_null(strstr(admin_ask(fd, requests[i]), "\"error\":"));
    }
    cr_assert_not_null(strstr(admin_ask(fd, "version\n"), "\"pid\""));
    (void)close(fd);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin, ends_with_who_sends_no_line)
{
    admin_place place;
    char text[512];
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    memset(text, 'x', sizeof text);
    cr_assert_eq(send(fd, text, sizeof text, MSG_NOSIGNAL),
                 (ssize_t)sizeof text);
    cr_assert_not_null(strstr(admin_line(fd), "\"error\":"));
    cr_assert_null(admin_line(fd));
    (void)close(fd);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin, waits_for_the_rest_of_a_line)
{
    admin_place place;
    int other;
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    admin_send(fd, "ver");
    other = admin_connect(place.path); /* by its answer the part was read */
    (void)admin_ask(other, "version\n");
    cr_assert_not_null(strstr(admin_ask(fd, "sion\n"), "\"pid\""));
    admin_send(fd, "vers");
    (void)close(fd); /* and never comes */
    cr_assert_not_null(strstr(admin_ask(other, "version\n"), "\"pid\""));
    (void)close(other);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin, answers_requests_that_came_together_one_by_one)
{
    admin_place place;
    int fd;

    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    admin_send(fd, "version\nbogus\nversion\n");
    (void)shutdown(fd, SHUT_WR);
    cr_assert_not_null(strstr(admin_line(fd), "\"pid\""));
    cr_assert_not_null(strstr(admin_line(fd), "\"error\""));
    cr_assert_not_null(strstr(admin_line(fd), "\"pid\""));
    cr_assert_null(admin_line(fd));
    (void)close(fd);
    muster_admin_close();
    admin_place_remove(&place);
}

/* ---- how many, and how slowly ---- */

Test(admin, has_room_for_eight_clients)
{
    admin_place place;
    int fds[9];

    admin_place_make(&place);
    admin_listen(&place);
    for (int i = 0; i < 8; i++) {
        fds[i] = admin_connect(place.path);
        (void)admin_ask(fds[i], "version\n");
    }
    fds[8] = admin_connect(place.path);
    cr_assert_not_null(strstr(admin_line(fds[8]), "too many clients"));
    cr_assert_null(admin_line(fds[8]));
    for (int i = 0; i < 8; i++) {
        (void)admin_ask(fds[i], "version\n");
    }
    (void)close(fds[0]);
    (void)close(fds[8]);
    do { /* the place is free when the end was seen; else it may be closed */
        fds[0] = admin_connect(place.path);
        (void)send(fds[0], "version\n", 8, MSG_NOSIGNAL);
    } while (strstr(admin_line(fds[0]), "\"pid\"") == NULL &&
             close(fds[0]) == 0);
    for (int i = 0; i < 8; i++) {
        (void)close(fds[i]);
    }
    muster_admin_close();
    admin_place_remove(&place);
}

static void report_many(const char *name, size_t n)
{
    muster_endpoint *endpoints = calloc(n, sizeof *endpoints);
    char(*addresses)[32] = calloc(n, sizeof *addresses);

    cr_assert(endpoints != NULL && addresses != NULL);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.%zu.%zu.%zu:1",
                       i >> 16, (i >> 8) & 255, i & 255);
        endpoints[i].address = addresses[i];
    }
    script_report(name, endpoints, n);
    free(addresses);
    free(endpoints);
}

Test(admin, drops_a_client_that_does_not_read)
{
    enum { N_REQUESTS = 16 };
    char requests[N_REQUESTS * (sizeof "channels\n" - 1) + 1] = "";
    muster_channel *channel;
    admin_place place;
    size_t n = 0;
    char text[4096];
    int fd;

    muster__timing_scale_waits_for_test(100);
    channel = open_channel("script:///slow", NULL);
    report_many("slow", 10000);
    (void)stats_of(channel);
    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    for (int i = 0; i < N_REQUESTS; i++) {
        strcat(requests, "channels\n");
    }
    admin_send(fd, requests); /* at once: it may be dropped any time now */
    for (;;) { /* until nothing is left but what it had sent before */
        struct pollfd end = {fd, POLLHUP, 0};
        ssize_t got;

        if (poll(&end, 1, 30000) != 1 || (end.revents & POLLHUP) == 0) {
            continue;
        }
        while ((got = recv(fd, text, sizeof text, 0)) > 0) {
            n += (size_t)got;
        }
        break;
    }
    cr_expect_lt(n, 4u << 20);
    (void)close(fd);
    fd = admin_connect(place.path);
    (void)admin_ask(fd, "version\n");
    (void)close(fd);
    muster_channel_destroy(channel);
    muster_admin_close();
    admin_place_remove(&place);
}

static void read_cpu_ns(void *arg)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    *(uint64_t *)arg =
        (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t control_cpu_ns(void)
{
    static uint64_t ns;

    cr_assert_eq(muster__loop_call(read_cpu_ns, &ns, MUSTER_FOREVER),
                 MUSTER_OK);
    return ns;
}

Test(admin, costs_little_for_a_thousand_endpoints)
{
    enum { N_ANSWERS = 20 };
    muster_channel *channel = open_channel("script:///many", NULL);
    static char text[1 << 20];
    admin_place place;
    uint64_t ns;
    int fd;

    report_many("many", 1000);
    (void)stats_of(channel);
    admin_place_make(&place);
    admin_listen(&place);
    fd = admin_connect(place.path);
    ns = control_cpu_ns();
    for (int i = 0; i < N_ANSWERS; i++) {
        ssize_t got;

        admin_send(fd, "channels\n");
        do {
            got = recv(fd, text, sizeof text, 0);
            cr_assert_gt(got, 0);
        } while (text[got - 1] != '\n');
    }
    ns = (control_cpu_ns() - ns) / N_ANSWERS;
    cr_log_info("1000 endpoints: %.2f ms of the control thread an answer",
                (double)ns / 1e6);
    cr_expect_lt(ns, limit_ns(20));
    (void)close(fd);
    muster_channel_destroy(channel);
    muster_admin_close();
    admin_place_remove(&place);
}
