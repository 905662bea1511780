/* SPDX-License-Identifier: Apache-2.0 */
/* X-Consul-Index as no real agent sends it. */
#include <criterion/criterion.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "consul_scene.h"

TestSuite(consul_index, .fini = scene_end, .timeout = 60);

static bool answers_at_once(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_list(exchange, "5", SCENE_ONE);
}

static double cpu_s(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

Test(consul_index, does_not_spin_when_queries_do_not_block)
{
    uint64_t start_ns = watched_now_ns();
    double cpu_before_s;
    unsigned n_requests;
    double took_s; /* more than 3 s, when others use the processors */

    scene_begin(answers_at_once, "");
    scene_expect_list("10.0.0.1:80");
    (void)poll(NULL, 0, 1000);
    cpu_before_s = cpu_s();
    (void)poll(NULL, 0, 2000);
    n_requests = http_server_n_requests(scene.server);
    took_s = (double)(watched_now_ns() - start_ns) / 1e9;
    printf("consul: answered at once for ever: %u requests in %.1f s, CPU %.1f "
           "%%\n",
           n_requests, took_s, (cpu_s() - cpu_before_s) * 50);
    cr_assert_leq(n_requests, 20 + (unsigned)(10 * took_s) + 1);
    cr_assert_eq(watched_get(&scene.watch).n_lists, 1);
    cr_assert_eq(watched_get(&scene.watch).n_errors, 0);
}

static bool has_bad_index(void *arg, http_exchange *exchange)
{
    static const char *const indices[] = {
        "0", "-1", "x", "", "1e9", "99999999999999999999999"};
    const unsigned n = sizeof indices / sizeof *indices;

    (void)arg;
    if (scene_is_blocking(exchange) &&
        strstr(exchange->target, "index=1&") == NULL) {
        return http_reply(exchange, 500, "", "wrong index");
    }
    if (exchange->number > n) {
        return http_reply(exchange, 200, "", SCENE_TWO); /* none at all */
    }
    return http_list(exchange, indices[exchange->number - 1], SCENE_ONE);
}

Test(consul_index, reads_a_bad_index_as_1)
{
    scene_begin(has_bad_index, "");
    scene_expect_list("10.0.0.1:80");
    scene_expect_list("10.0.0.2:80");
    cr_assert_eq(watched_get(&scene.watch).n_errors, 0, "%s",
                 watched_get(&scene.watch).message);
}

static bool goes_backwards(void *arg, http_exchange *exchange)
{
    (void)arg;
    switch (exchange->number) {
    case 1:
        return http_list(exchange, "100", SCENE_ONE);
    case 2:
        return http_list(exchange, "7", SCENE_ONE);
    case 3: /* must not block on 100, nor on 7 */
        return scene_is_blocking(exchange)
                   ? http_reply(exchange, 500, "", "blocks")
                   : http_list(exchange, "8", SCENE_TWO);
    default:
        return http_wait(exchange, SCENE_BLOCKED_MS);
    }
}

Test(consul_index, starts_over_when_the_index_goes_back)
{
    scene_begin(goes_backwards, "");
    scene_expect_list("10.0.0.2:80");
    cr_assert_eq(watched_get(&scene.watch).n_errors, 0);
}

static bool fails_with_an_index(void *arg, http_exchange *exchange)
{
    (void)arg;
    switch (exchange->number) {
    case 1:
        return http_list(exchange, "100", SCENE_ONE);
    case 2:
        return http_reply(exchange, 500, "X-Consul-Index: 1\r\n",
                          "No cluster leader");
    case 3: /* asks at once after a failure, and takes no index from it */
        return scene_is_blocking(exchange)
                   ? http_reply(exchange, 500, "", "blocks")
                   : http_list(exchange, "100", SCENE_TWO);
    default:
        return http_wait(exchange, SCENE_BLOCKED_MS);
    }
}

Test(consul_index, takes_no_index_from_a_failure)
{
    scene_begin(fails_with_an_index, "");
    scene_expect_list("10.0.0.2:80");
    cr_assert_eq(watched_get(&scene.watch).n_errors, 1);
}
