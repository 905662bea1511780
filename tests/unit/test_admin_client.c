/* SPDX-License-Identifier: Apache-2.0 */
/* The command's client of admin sockets, with processes that are none of
 * muster's. */
#include "admin_fixture.h"

#include <jansson.h>
#include <pthread.h>

#include "../../tools/admin/admin_client.h"

TestSuite(admin_client, .timeout = 60);

/* Somebody who answers whoever comes first, with text, n times. */
typedef struct impostor {
    admin_place place;
    int fd;
    const char *text;
    size_t n;
    pthread_t thread;
} impostor;

static void *answer(void *arg)
{
    const impostor *self = arg;
    const size_t length = strlen(self->text);
    int fd = accept(self->fd, NULL, NULL);

    for (size_t i = 0; i < self->n; i++) {
        if (send(fd, self->text, length, MSG_NOSIGNAL) != (ssize_t)length) {
            break;
        }
    }
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, &(char){0}, 1, 0) > 0) {
    }
    (void)close(fd);
    return NULL;
}

static void impostor_listen(impostor *self)
{
    struct sockaddr_un address;

    admin_place_make(&self->place);
    address = admin_sockaddr(self->place.path);
    self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(
        bind(self->fd, (const struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(self->fd, 8), 0);
}

static void expect_refused(const char *text, size_t n, muster_status wanted,
                           const char *part)
{
    impostor self = {.text = text, .n = n};
    admin_client *client = NULL;
    json_t *json = NULL;
    muster_error err = {.code = MUSTER_OK};

    impostor_listen(&self);
    cr_assert_eq(pthread_create(&self.thread, NULL, answer, &self), 0);
    cr_assert_eq(admin_client_create(self.place.path, &client, &err), MUSTER_OK,
                 "%s", err.message);
    cr_expect_eq(admin_client_ask(client, "channels", 30000, &json, &err),
                 wanted, "%s", err.message);
    cr_expect_not_null(strstr(err.message, part), "%s", err.message);
    cr_expect_null(json);
    admin_client_destroy(client);
    cr_assert_eq(pthread_join(self.thread, NULL), 0);
    (void)close(self.fd);
    admin_place_remove(&self.place);
}

Test(admin_client, asks_a_process_of_musters)
{
    admin_place place;
    admin_client *client = NULL;
    json_t *json = NULL;
    muster_error err;

    admin_place_make(&place);
    admin_listen(&place);
    cr_assert_eq(admin_client_create(place.path, &client, &err), MUSTER_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(admin_client_ask(client, "channels", 30000, &json, &err),
                     MUSTER_OK, "%s", err.message);
        cr_expect(json_is_array(json_object_get(json, "channels")));
        json_decref(json);
        cr_assert_eq(admin_client_pause(client, 1, &err), MUSTER_OK);
    }
    muster_admin_close();
    cr_expect_eq(admin_client_pause(client, 30000, &err), MUSTER_UNAVAILABLE);
    cr_expect_eq(admin_client_ask(client, "channels", 30000, &json, &err),
                 MUSTER_UNAVAILABLE);
    admin_client_destroy(client);
    admin_place_remove(&place);
}

Test(admin_client, passes_on_what_a_process_refuses)
{
    admin_place place;
    admin_client *client = NULL;
    json_t *json = NULL;
    muster_error err;

    admin_place_make(&place);
    admin_listen(&place);
    cr_assert_eq(admin_client_create(place.path, &client, &err), MUSTER_OK);
    cr_expect_eq(admin_client_ask(client, "bogus", 30000, &json, &err),
                 MUSTER_UNAVAILABLE);
    cr_expect_not_null(strstr(err.message, "no such request"));
    admin_client_destroy(client);
    muster_admin_close();
    admin_place_remove(&place);
}

Test(admin_client, takes_no_garbage)
{
    expect_refused("hello\n", 1, MUSTER_PROTOCOL, "else than JSON");
    expect_refused("{}{}\n", 1, MUSTER_PROTOCOL, "else than JSON");
    expect_refused("[1]\n", 1, MUSTER_PROTOCOL, "else than JSON");
    expect_refused("{}\n", 1, MUSTER_PROTOCOL, "schema");
    expect_refused("{\"schema_version\":2}\n", 1, MUSTER_PROTOCOL, "schema");
    expect_refused("{\"schema_version\":1,\"error\":\"full\"}\n", 1,
                   MUSTER_UNAVAILABLE, "it says: full");
    expect_refused("{\"half\":", 1, MUSTER_UNAVAILABLE, "closed");
    expect_refused("", 0, MUSTER_UNAVAILABLE, "closed");
}

Test(admin_client, takes_no_more_than_64_mib)
{
    static char text[(1 << 20) + 1];

    memset(text, ' ', sizeof text - 1);
    expect_refused(text, 66, MUSTER_PROTOCOL, "64 MiB");
}

Test(admin_client, waits_no_longer_than_it_may)
{
    impostor self = {.text = ""};
    admin_client *client = NULL;
    json_t *json = NULL;
    muster_error err;
    uint64_t begun;

    impostor_listen(&self); /* and never answers */
    begun = in_ms(0);
    cr_assert_eq(admin_client_create(self.place.path, &client, &err),
                 MUSTER_OK);
    cr_expect_eq(admin_client_ask(client, "channels", 20, &json, &err),
                 MUSTER_TIMEOUT);
    cr_expect_geq(in_ms(0) - begun, 20000000u);
    admin_client_destroy(client);
    (void)close(self.fd);
    admin_place_remove(&self.place);
}

Test(admin_client, says_why_there_is_nobody)
{
    admin_place place;
    admin_client *client = NULL;
    muster_error err;
    FILE *file;

    admin_place_make(&place);
    cr_expect_eq(admin_client_create(place.path, &client, &err),
                 MUSTER_UNAVAILABLE);
    cr_expect_not_null(strstr(err.message, "No such file"));
    file = fopen(place.path, "we");
    cr_assert_not_null(file);
    (void)fclose(file);
    cr_expect_eq(admin_client_create(place.path, &client, &err),
                 MUSTER_UNAVAILABLE);
    cr_expect_not_null(strstr(err.message, "no socket"));
    cr_assert_eq(chmod(place.path, 0), 0);
    if (geteuid() != 0) {
        cr_expect_eq(admin_client_create(place.path, &client, &err),
                     MUSTER_PERMISSION);
    }
    admin_place_remove(&place);
}

Test(admin_client, finds_the_path_where_the_user_says)
{
    muster_error err;

    cr_assert_eq(setenv("MUSTER_ADMIN", "unix:/run/b", 1), 0);
    cr_expect_str_eq(admin_client_path("/run/a", &err), "/run/a");
    cr_expect_str_eq(admin_client_path("unix:/run/a", &err), "/run/a");
    cr_expect_str_eq(admin_client_path(NULL, &err), "/run/b");
    cr_assert_eq(setenv("MUSTER_ADMIN", "unix:/run/b.%p", 1), 0);
    cr_expect_null(admin_client_path(NULL, &err));
    cr_expect_not_null(strstr(err.message, "many processes"));
    cr_assert_eq(unsetenv("MUSTER_ADMIN"), 0);
    cr_expect_null(admin_client_path(NULL, &err));
}
