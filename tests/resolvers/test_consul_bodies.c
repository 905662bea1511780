/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver and bodies that no real agent sends. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "consul_scene.h"

enum { MEGABYTE = 1 << 20 };

TestSuite(consul_bodies, .fini = scene_end, .timeout = 60);

static bool is_torn(void *arg, http_exchange *exchange)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                               "Content-Length: 100\r\n\r\n[{\"Serv";
    bool goes_on;

    (void)arg;
    if (scene_gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    (void)http_send(exchange, head, sizeof head - 1);
    return false;
}

Test(consul_bodies, keeps_the_list_when_a_body_is_torn)
{
    scene_begin(is_torn, SCENE_TRIES_OFTEN);
    scene_expect_kept("the answer is broken");
}

static bool is_bad_json(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_list(exchange, "9", "[{,}]");
}

Test(consul_bodies, keeps_the_list_when_a_body_is_no_json)
{
    scene_begin(is_bad_json, SCENE_TRIES_OFTEN);
    scene_expect_kept("byte ");
}

static bool is_nested(void *arg, http_exchange *exchange)
{
    static char body[200001];
    bool goes_on;

    (void)arg;
    if (scene_gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    memset(body, '[', sizeof body - 1);
    return http_list(exchange, "9", body);
}

Test(consul_bodies, keeps_the_list_when_a_body_is_deeply_nested)
{
    scene_begin(is_nested, SCENE_TRIES_OFTEN);
    scene_expect_kept("byte ");
}

static bool has_bad_entries_only(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    return scene_gives_first(exchange, &goes_on)
               ? goes_on
               : http_list(exchange, "9",
                           "[{},{\"Service\":{\"Port\":80}},"
                           "{\"Service\":{\"Address\":\"x\",\"Port\":80}}]");
}

Test(consul_bodies, refuses_a_body_without_a_good_entry)
{
    scene_begin(has_bad_entries_only, SCENE_TRIES_OFTEN);
    scene_expect_kept("none of 3 entries");
}

static bool has_some_bad_entries(void *arg, http_exchange *exchange)
{
    (void)arg;
    return exchange->number > 1
               ? http_wait(exchange, SCENE_BLOCKED_MS)
               : http_list(exchange, "9",
                           "[{},{\"Service\":{\"Address\":\"10.0.0.1\","
                           "\"Port\":80}},{\"Service\":{\"Address\":\"db\","
                           "\"Port\":80}},7]");
}

Test(consul_bodies, leaves_bad_entries_out)
{
    scene_begin(has_some_bad_entries, "");
    scene_expect_list("10.0.0.1:80");
}

static bool is_endless(void *arg, http_exchange *exchange)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                               "Connection: close\r\n\r\n[";
    static char blanks[MEGABYTE];
    bool goes_on;

    (void)arg;
    if (scene_gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    memset(blanks, ' ', sizeof blanks);
    goes_on = http_send(exchange, head, sizeof head - 1);
    while (goes_on) {
        goes_on = http_send(exchange, blanks, sizeof blanks);
    }
    return false;
}

Test(consul_bodies, takes_32_mib_of_an_endless_body)
{
    scene_begin(is_endless, SCENE_TRIES_OFTEN);
    scene_expect_kept("larger than 32 MiB");
}

/* The server may be sending it until the scene ends. */
static char bomb[MEGABYTE];
static size_t bomb_size;

/* 64 MiB of blanks, which are 64 KiB. */
static void make_bomb(void)
{
    FILE *gzip = popen("head -c 67108864 /dev/zero | tr '\\0' ' ' | gzip", "r");

    cr_assert_not_null(gzip);
    bomb_size = fread(bomb, 1, sizeof bomb, gzip);
    cr_assert(bomb_size > 1000 && bomb_size < MEGABYTE);
    cr_assert_eq(pclose(gzip), 0);
}

static bool is_a_bomb(void *arg, http_exchange *exchange)
{
    char head[256];
    bool goes_on;

    (void)arg;
    if (scene_gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                   "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                   bomb_size);
    return http_send(exchange, head, strlen(head)) &&
           http_send(exchange, bomb, bomb_size);
}

Test(consul_bodies, unpacks_no_more_than_32_mib)
{
    make_bomb();
    scene_begin(is_a_bomb, SCENE_TRIES_OFTEN);
    scene_expect_kept("larger than 32 MiB");
}

static bool is_slow(void *arg, http_exchange *exchange)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-Consul-Index: 9\r\n"
                               "Connection: close\r\n\r\n" SCENE_TWO;
    size_t i = 0;
    bool goes_on = true;

    (void)arg;
    if (exchange->number > 1) {
        return http_wait(exchange, SCENE_BLOCKED_MS);
    }
    for (; goes_on && i < sizeof text - 1; i++) {
        goes_on = http_send(exchange, text + i, 1) && http_wait(exchange, 10);
    }
    return false;
}

Test(consul_bodies, takes_a_body_byte_by_byte)
{
    scene_begin(is_slow, "");
    scene_expect_list("10.0.0.2:80");
}

static bool is_no_http(void *arg, http_exchange *exchange)
{
    bool goes_on;

    (void)arg;
    if (scene_gives_first(exchange, &goes_on)) {
        return goes_on;
    }
    (void)http_send(exchange, "220 smtp ready\r\n\r\n", 18);
    return false;
}

Test(consul_bodies, knows_what_is_no_http)
{
    scene_begin(is_no_http, SCENE_TRIES_OFTEN);
    scene_expect_kept("the answer is broken");
}
