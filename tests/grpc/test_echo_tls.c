/* SPDX-License-Identifier: Apache-2.0 */
/* TLS of muster-echo-server. */
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/grpc_security.h>

#include "backend.h"
#include "core_client.h"

#define MAKE_CERTIFICATES MUSTER_TEST_SOURCE_DIR "/support/make-certificates"

enum { PATH_SIZE = 128, MAX_FILE_BYTES = 8192 };

static backend server;
static char folder[64];

/* ---- Files ---- */

static void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char command[PATH_SIZE + 256];

    (void)snprintf(folder, sizeof folder, "%s/muster-tls-XXXXXX",
                   base != NULL ? base : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(command, sizeof command, MAKE_CERTIFICATES " %s", folder);
    cr_assert_eq(system(command), 0);
}

static int remove_one(const char *name, const struct stat *info, int type,
                      struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(name);
}

static void remove_folder(void)
{
    backend_kill(&server);
    cr_expect_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

TestSuite(echo_tls, .init = make_folder, .fini = remove_folder);

static const char *path_of(char path[PATH_SIZE], const char *name)
{
    (void)snprintf(path, PATH_SIZE, "%s/%s.pem", folder, name);
    return path;
}

static void read_pem(char text[MAX_FILE_BYTES], const char *name)
{
    char path[PATH_SIZE];
    FILE *file = fopen(path_of(path, name), "re");
    size_t length;

    cr_assert_not_null(file);
    length = fread(text, 1, MAX_FILE_BYTES - 1, file);
    text[length] = '\0';
    (void)fclose(file);
}

static void replace(const char *name, const char *by)
{
    char from[PATH_SIZE];
    char to[PATH_SIZE];

    cr_assert_eq(rename(path_of(from, by), path_of(to, name)), 0);
}

/* ---- Both sides ---- */

/* ca and mode, of client certificates, may be NULL. */
static void start(const char *ca, const char *mode)
{
    char paths[3][PATH_SIZE];
    const char *flags[9] = {"--tls-certificate", path_of(paths[0], "server"),
                            "--tls-key", path_of(paths[1], "server-key")};
    size_t n_flags = 4;

    if (ca != NULL) {
        flags[n_flags++] = "--tls-client-ca";
        flags[n_flags++] = path_of(paths[2], ca);
    }
    if (mode != NULL) {
        flags[n_flags++] = "--tls-client-certificate";
        flags[n_flags++] = mode;
    }
    cr_assert(backend_start(&server, flags));
}

/* certificate is a name, or NULL: the client has none. */
static void open_client(core_client *client, const char *ca,
                        const char *certificate)
{
    static char pems[3][MAX_FILE_BYTES];
    const grpc_arg authority =
        core_text(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
    grpc_ssl_pem_key_cert_pair pair = {pems[1], pems[2]};
    grpc_channel_credentials *credentials;
    char key[PATH_SIZE];

    read_pem(pems[0], ca);
    if (certificate != NULL) {
        (void)snprintf(key, sizeof key, "%s-key", certificate);
        read_pem(pems[1], key);
        read_pem(pems[2], certificate);
    }
    grpc_init();
    credentials = grpc_ssl_credentials_create(
        pems[0], certificate == NULL ? NULL : &pair, NULL, NULL);
    core_client_open(client, server.address, credentials, &authority, 1);
    grpc_channel_credentials_release(credentials);
    grpc_shutdown();
}

static void expect_refusal(const char *ca, const char *certificate)
{
    core_client client;

    open_client(&client, ca, certificate);
    cr_expect(core_client_await_state(&client, GRPC_CHANNEL_TRANSIENT_FAILURE));
    core_client_close(&client);
}

/* name is what the server sees of the client's certificate. */
static void expect_peer(const char *certificate, const char *name)
{
    core_client client;
    core_call made;
    char *text;

    open_client(&client, "ca", certificate);
    core_client_call_method(&client, &made, "/echo.Echo/Peer", "", NULL, 0);
    text = core_call_text(&made);
    cr_assert_not_null(text);
    cr_expect_str_eq(strchr(text, ' ') + 1, name);
    free(text);
    core_call_fini(&made);
    core_client_close(&client);
}

/* name is in the certificate that the server shows to the client. */
static void expect_server(core_client *client, const char *name)
{
    core_call made;
    grpc_auth_context *context;
    grpc_auth_property_iterator found;
    const grpc_auth_property *property;

    core_client_call(client, &made, "", NULL, 0);
    cr_assert_eq(made.status, GRPC_STATUS_OK);
    context = grpc_call_auth_context(made.call);
    found = grpc_auth_context_find_properties_by_name(
        context, GRPC_X509_CN_PROPERTY_NAME);
    property = grpc_auth_property_iterator_next(&found);
    cr_assert_not_null(property);
    cr_expect_str_eq(property->value, name);
    grpc_auth_context_release(context);
    core_call_fini(&made);
}

/* ---- The tests ---- */

Test(echo_tls, shows_its_certificate)
{
    core_client client;

    start(NULL, NULL);
    open_client(&client, "ca", NULL);
    expect_server(&client, "server");
    core_client_close(&client);
    expect_refusal("other-ca", NULL);
}

Test(echo_tls, requires_and_verifies_when_it_has_an_authority)
{
    start("ca", NULL);
    expect_peer("client", "client");
    expect_refusal("ca", NULL);
    expect_refusal("ca", "other-ca");
}

Test(echo_tls, requires_any_certificate)
{
    start("ca", "require");
    expect_peer("other-ca", "other-ca");
    expect_refusal("ca", NULL);
}

Test(echo_tls, requests_and_verifies)
{
    start("ca", "request-and-verify");
    expect_peer("client", "client");
    expect_peer(NULL, "");
    expect_refusal("ca", "other-ca");
}

Test(echo_tls, requests_any_certificate)
{
    start(NULL, "request");
    expect_peer("other-ca", "other-ca");
    expect_peer(NULL, "");
}

Test(echo_tls, shows_new_files_to_new_connections)
{
    core_client before;
    core_client between;
    core_client after;

    start(NULL, NULL);
    open_client(&before, "ca", NULL);
    expect_server(&before, "server");
    replace("server-key", "client-key"); /* which does not fit yet */
    open_client(&between, "ca", NULL);
    expect_server(&between, "server");
    replace("server", "client");
    open_client(&after, "ca", NULL);
    expect_server(&after, "client");
    expect_server(&before, "server");
    core_client_close(&before);
    core_client_close(&between);
    core_client_close(&after);
}
