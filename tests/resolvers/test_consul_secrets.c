/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver repeats no token. */
#include <criterion/criterion.h>

#include <muster/log.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "consul_scene.h"

TestSuite(consul_secrets, .fini = scene_end, .timeout = 60);

static atomic_bool has_token;

static bool echoes_the_token(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    atomic_store(&has_token, strstr(exchange->head,
                                    "X-Consul-Token: secret-4711\r\n") != NULL);
    cr_expect_null(strstr(exchange->target, "secret"));
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_reply(exchange, 500, "", "I know secret-4711 of you");
}

static void note_log(void *arg, muster_log_level level, const char *message)
{
    (void)arg;
    (void)level;
    cr_expect_null(strstr(message, "secret"), "%s", message);
}

Test(consul_secrets, does_not_repeat_a_token)
{
    muster_log_set(note_log, NULL, MUSTER_LOG_DEBUG);
    (void)setenv("CONSUL_HTTP_TOKEN", "secret-4711", 1);
    scene_begin(echoes_the_token, SCENE_TRIES_OFTEN);
    scene_expect_kept("500");
    cr_assert(atomic_load(&has_token));
    cr_assert_null(strstr(watched_get(&scene.watch).message, "secret"));
}

static bool redirects_with_the_token(void *arg, http_exchange *exchange)
{
    (void)arg;
    return http_reply(
        exchange, 302,
        "Location: http://127.0.0.1:1/secret-4711?next=secret\r\n", "");
}

Test(consul_secrets, does_not_repeat_a_token_of_a_redirect)
{
    muster_log_set(note_log, NULL, MUSTER_LOG_DEBUG);
    (void)setenv("CONSUL_HTTP_TOKEN", "secret-4711", 1);
    scene_begin(redirects_with_the_token, "");
    scene_expect_error("302 leads to");
    cr_assert_null(strstr(watched_get(&scene.watch).message, "secret"));
}

static bool lists_the_token(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_list(exchange, "9", "[{\"token\": secret-4711}]");
}

Test(consul_secrets, does_not_repeat_what_is_near_a_fault)
{
    muster_log_set(note_log, NULL, MUSTER_LOG_DEBUG);
    (void)setenv("CONSUL_HTTP_TOKEN", "secret-4711", 1);
    scene_begin(lists_the_token, SCENE_TRIES_OFTEN);
    scene_expect_kept("byte 17 of the answer: invalid token");
    cr_assert_null(strstr(watched_get(&scene.watch).message, "secret"));
}

/* Who mistakes the one variable for the other. */
Test(consul_secrets, does_not_repeat_a_token_that_stands_for_its_file)
{
    muster_log_set(note_log, NULL, MUSTER_LOG_DEBUG);
    (void)setenv("CONSUL_HTTP_TOKEN_FILE", "secret-4711", 1);
    scene_begin(lists_the_token, "");
    scene_expect_error("token file (not shown");
    cr_assert_null(strstr(watched_get(&scene.watch).message, "secret"));
}
