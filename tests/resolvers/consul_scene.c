/* SPDX-License-Identifier: Apache-2.0 */
/* A watch on a consul target whose agent answers as the test says. */
#include "consul_scene.h"

#include <muster/plugin.h>

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

const muster_plugin *muster_builtin_consul(void);

enum { N_TRIES = 4 };

consul_scene scene;

void scene_prepare(http_answer_fn answer)
{
    muster_error err = {.message = ""};

    cr_assert_eq(muster_plugin_register(muster_builtin_consul, &err), MUSTER_OK,
                 "%s", err.message);
    scene.server = http_server_start(answer, NULL);
    cr_assert_not_null(scene.server);
}

void scene_target(char target[SCENE_TARGET_SIZE], const char *rest)
{
    (void)snprintf(target, SCENE_TARGET_SIZE, "consul://127.0.0.1:%d/%s",
                   http_server_port(scene.server), rest);
}

void scene_begin(http_answer_fn answer, const char *rest)
{
    char target[SCENE_TARGET_SIZE];
    char path[SCENE_TARGET_SIZE / 2];
    muster_error err = {.message = ""};

    scene_prepare(answer);
    (void)snprintf(path, sizeof path, "web%s", rest);
    scene_target(target, path);
    cr_assert(watched_begin(&scene.watch, target, &err), "%s", err.message);
}

void scene_end(void)
{
    watched_end(&scene.watch);
    http_server_stop(scene.server);
    scene.server = NULL;
}

void scene_expect_list(const char *addresses)
{
    cr_assert(watched_await_list(&scene.watch, addresses, SCENE_WAIT_MS),
              "expected %s, have %s; %s", addresses,
              watched_get(&scene.watch).addresses,
              watched_get(&scene.watch).message);
}

void scene_expect_error(const char *part)
{
    cr_assert(watched_await_error(&scene.watch, part, SCENE_WAIT_MS),
              "have: %s", watched_get(&scene.watch).message);
}

void scene_expect_kept(const char *part)
{
    unsigned n;

    scene_expect_list("10.0.0.1:80");
    scene_expect_error(part);
    n = http_server_n_requests(scene.server) + N_TRIES;
    for (int i = 0;
         i < SCENE_WAIT_MS && http_server_n_requests(scene.server) < n; i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert_geq(http_server_n_requests(scene.server), n);
    cr_assert_str_eq(watched_get(&scene.watch).addresses, "10.0.0.1:80");
    cr_assert_eq(watched_get(&scene.watch).n_errors, 1);
}

void scene_expect_held(void)
{
    for (int i = 0; i < SCENE_WAIT_MS && !watched_get(&scene.watch).is_held;
         i++) {
        (void)poll(NULL, 0, 1);
    }
    cr_assert(watched_get(&scene.watch).is_held);
    cr_assert_str_eq(watched_get(&scene.watch).addresses, "10.0.0.1:80");
}

bool scene_is_blocking(const http_exchange *exchange)
{
    return strstr(exchange->target, "index=") != NULL;
}

bool scene_gives_first(http_exchange *exchange, bool *ret_goes_on)
{
    if (exchange->number == 1) {
        *ret_goes_on = http_list(exchange, "5", SCENE_ONE);
        return true;
    }
    return false;
}
