/* SPDX-License-Identifier: Apache-2.0 */
/* TLS with real servers: who is trusted, under which name, and what a call is
 * told when it is not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <muster/log.h>

#include "backend.h"
#include "calling.h"
#include "certificates.h"

static certificates made;
static backend server;

static void begin(void)
{
    cr_assert(certificates_make(&made));
}

static void end(void)
{
    backend_kill(&server);
    certificates_remove(&made);
}

TestSuite(grpc_tls, .init = begin, .fini = end, .timeout = 120);

/* A server with the certificate name; with client_ca it wants the certificate
 * of a client that this signed. */
static void serve(const char *name, const char *client_ca)
{
    char key_name[64];
    (void)snprintf(key_name, sizeof key_name, "%s-key", name);
    const certificates_path certificate = certificates_find(&made, name);
    const certificates_path key = certificates_find(&made, key_name);
    const certificates_path ca =
        certificates_find(&made, client_ca == NULL ? "ca" : client_ca);
    const char *const flags[] = {"--tls-certificate",
                                 certificate.text,
                                 "--tls-key",
                                 key.text,
                                 "--tls-client-ca",
                                 ca.text,
                                 "--tls-client-certificate",
                                 client_ca == NULL ? "none"
                                                   : "require-and-verify",
                                 NULL};

    cr_assert(backend_start(&server, flags));
}

static muster_status open_with(const muster_channel_options *options,
                               const muster_grpc_tls_options *tls,
                               muster_channel **ret_channel, muster_error *err)
{
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options, .tls = tls};
    char target[256];

    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    return muster_grpc_channel_create(target, options, &grpc_options,
                                      ret_channel, err);
}

/* One fail-fast call with these options. *ret_text, the caller's, is the answer
 * or the message. */
static grpc_status_code call_once(const muster_channel_options *options,
                                  const muster_grpc_tls_options *tls,
                                  char **ret_text)
{
    muster_channel *channel = NULL;
    muster_error err;
    grpc_status_code status;

    cr_assert_eq(open_with(options, tls, &channel, &err), MUSTER_OK, "%s",
                 err.message);
    status = ask(channel, "hello", NULL, ret_text);
    muster_channel_destroy(channel);
    return status;
}

static void expect_success(const muster_channel_options *options,
                           const muster_grpc_tls_options *tls)
{
    char *text;

    cr_expect_eq(call_once(options, tls, &text), GRPC_STATUS_OK, "%s", text);
    free(text);
}

static void expect_failure(const muster_channel_options *options,
                           const muster_grpc_tls_options *tls, const char *why)
{
    char *text;

    cr_expect_eq(call_once(options, tls, &text), GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(text, why), "%s", text);
    free(text);
}

static muster_grpc_tls_options with_ca(const certificates_path *ca)
{
    return (muster_grpc_tls_options){
        .struct_size = sizeof(muster_grpc_tls_options), .ca_file = ca->text};
}

/* ---- authorities ---- */

Test(grpc_tls, trusts_the_authorities_of_a_file)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    serve("server", NULL);
    expect_success(NULL, &tls);
}

Test(grpc_tls, trusts_the_default_roots)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls};

    cr_assert_eq(setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", ca.text, 1), 0);
    serve("server", NULL);
    expect_success(NULL, &tls);
}

Test(grpc_tls, trusts_nobody_but_the_default_roots)
{
    const certificates_path ca = certificates_find(&made, "other-ca");
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls};

    cr_assert_eq(setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", ca.text, 1), 0);
    serve("server", NULL);
    expect_failure(NULL, &tls,
                   "not signed by an authority of the default roots");
}

Test(grpc_tls, says_that_the_authority_is_not_known)
{
    const certificates_path ca = certificates_find(&made, "other-ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    serve("server", NULL);
    expect_failure(NULL, &tls,
                   "the server's certificate is not signed by an "
                   "authority of ");
}

Test(grpc_tls, says_that_the_certificate_has_expired)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    serve("expired", NULL);
    expect_failure(NULL, &tls, "the server's certificate has expired at 20");
}

/* ---- names ---- */

Test(grpc_tls, checks_the_name_of_the_options)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .authority = "server.dc1.consul"};
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    serve("server", NULL);
    expect_success(&options, &tls);
}

Test(grpc_tls, says_that_the_name_is_another)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .authority = "nobody.test"};
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    serve("server", NULL);
    expect_failure(&options, &tls,
                   "Peer name nobody.test is not in peer certificate");
}

/* The server as an endpoint with that host name, in a channel that has another
 * name. How a call ends. */
static grpc_status_code call_endpoint_named(const char *hostname,
                                            char **ret_text)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .authority = "channel.test"};
    const certificates_path ca = certificates_find(&made, "ca");
    const certificates_path list = certificates_find(&made, "list");
    const muster_grpc_tls_options tls = with_ca(&ca);
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options, .tls = &tls};
    muster_channel *channel = NULL;
    grpc_status_code status;
    muster_error err;
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"endpoints\": [{\"address\": \"%s\", "
                   "\"hostname\": \"%s\"}]}",
                   server.address, hostname);
    cr_assert(certificates_write(&made, "list", text));
    (void)snprintf(text, sizeof text, "file://%s", list.text);
    cr_assert_eq(muster_grpc_channel_create(text, &options, &grpc_options,
                                            &channel, &err),
                 MUSTER_OK, "%s", err.message);
    status = ask(channel, "hello", NULL, ret_text);
    muster_channel_destroy(channel);
    return status;
}

Test(grpc_tls, checks_the_host_name_of_an_endpoint_first)
{
    char *text;

    serve("server", NULL);
    cr_expect_eq(call_endpoint_named("server.dc1.consul:443", &text),
                 GRPC_STATUS_OK, "%s", text);
    free(text);
    cr_expect_eq(call_endpoint_named("nobody.test", &text),
                 GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(text, "Peer name nobody.test is not in"), "%s",
                       text);
    free(text);
    cr_expect_eq(call_endpoint_named(":443", &text), GRPC_STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(text, "TLS has no name to check in \":443\""),
                       "%s", text);
    free(text);
}

/* ---- certificates of clients ---- */

static muster_grpc_tls_options with_client(const certificates_path *ca,
                                           const certificates_path *certificate,
                                           const certificates_path *key)
{
    muster_grpc_tls_options tls = with_ca(ca);

    tls.certificate_file = certificate->text;
    tls.key_file = key->text;
    return tls;
}

Test(grpc_tls, shows_the_client_certificate)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const certificates_path certificate = certificates_find(&made, "client");
    const certificates_path key = certificates_find(&made, "client-key");
    const muster_grpc_tls_options tls = with_client(&ca, &certificate, &key);

    serve("server", "ca");
    expect_success(NULL, &tls);
}

Test(grpc_tls, says_that_the_server_wants_a_client_certificate)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    serve("server", "ca");
    expect_failure(NULL, &tls, "the server may want a client certificate");
}

Test(grpc_tls, says_that_the_server_refuses_the_client_certificate)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const certificates_path certificate =
        certificates_find(&made, "other-client");
    const certificates_path key = certificates_find(&made, "other-client-key");
    const muster_grpc_tls_options tls = with_client(&ca, &certificate, &key);

    serve("server", "ca");
    expect_failure(NULL, &tls,
                   "the server may not accept the client certificate");
}

Test(grpc_tls, says_that_the_server_speaks_no_tls)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const muster_grpc_tls_options tls = with_ca(&ca);

    cr_assert(backend_start(&server, NULL));
    expect_failure(NULL, &tls, "the server does not speak TLS");
}

Test(grpc_tls, says_that_there_are_no_default_roots)
{
    const certificates_path key = certificates_find(&made, "server-key");
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls};

    cr_assert_eq(setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", key.text, 1), 0);
    serve("server", NULL);
    expect_failure(NULL, &tls, "no usable certificate in the default roots");
}

/* ---- large bundles ---- */

static unsigned n_warnings;

static void count_warnings(void *arg, muster_log_level level,
                           const char *message)
{
    (void)arg;
    n_warnings += level == MUSTER_LOG_WARNING &&
                  strstr(message, "each connection parses the 17 KB of "
                                  "ca_pem anew") != NULL;
}

Test(grpc_tls, warns_of_the_price_of_a_large_bundle)
{
    static const char block[] =
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static char large[17 * 1024 + sizeof block];
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls,
                                         .ca_pem = large};
    muster_channel *channel = NULL;
    muster_error err;

    while (strlen(large) < 17 * 1024) {
        strcat(large, block);
    }
    muster_log_set(count_warnings, NULL, MUSTER_LOG_WARNING);
    (void)snprintf(server.address, sizeof server.address, "127.0.0.1:1");
    cr_assert_eq(open_with(NULL, &tls, &channel, &err), MUSTER_OK, "%s",
                 err.message);
    muster_channel_destroy(channel);
    cr_expect_eq(n_warnings, 1);
}

/* ---- options that are refused ---- */

static void expect_refused(const muster_channel_options *options,
                           const muster_grpc_tls_options *tls, const char *why)
{
    muster_channel *channel = NULL;
    muster_error err = {.code = MUSTER_OK};

    (void)snprintf(server.address, sizeof server.address, "127.0.0.1:1");
    cr_expect_eq(open_with(options, tls, &channel, &err), MUSTER_INVAL);
    cr_expect_not_null(strstr(err.message, why), "%s", err.message);
    cr_expect_null(channel);
}

Test(grpc_tls, refuses_a_name_that_is_none)
{
    const char *const names[] = {"", ":443", "[]:443"};
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls};

    for (int i = 0; i < 3; i++) {
        const muster_channel_options options = {.struct_size = sizeof options,
                                                .authority = names[i]};

        expect_refused(&options, &tls, "TLS has no name to check");
    }
}

Test(grpc_tls, refuses_options_that_contradict_themselves)
{
    const certificates_path ca = certificates_find(&made, "ca");
    muster_grpc_tls_options tls = with_ca(&ca);

    tls.ca_pem = "x";
    expect_refused(NULL, &tls, "exclude each other");
    tls.ca_pem = NULL;
    tls.key_file = ca.text;
    expect_refused(NULL, &tls, "a key needs its certificate");
    tls.key_file = NULL;
    tls.certificate_pem = "x";
    expect_refused(NULL, &tls, "a certificate needs its key");
}

Test(grpc_tls, refuses_files_it_cannot_use)
{
    const certificates_path ca = certificates_find(&made, "ca");
    const certificates_path key = certificates_find(&made, "ca-key");
    const certificates_path none = certificates_find(&made, "none");
    const certificates_path client = certificates_find(&made, "client");
    const certificates_path locked = certificates_find(&made, "locked-key");
    muster_grpc_tls_options tls = with_ca(&none);

    expect_refused(NULL, &tls, "none.pem: No such file");
    tls = with_ca(&key);
    expect_refused(NULL, &tls, "ca-key.pem: is not whole PEM text");
    tls = with_client(&ca, &client, &key);
    expect_refused(NULL, &tls, "ca-key.pem: is not the key of ");
    tls = with_client(&ca, &client, &locked);
    expect_refused(NULL, &tls, "locked-key.pem: is not the key of ");
}

Test(grpc_tls, refuses_credentials_beside_tls_options)
{
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    const muster_grpc_tls_options tls = {.struct_size = sizeof tls};
    const muster_grpc_options options = {
        .struct_size = sizeof options, .credentials = insecure, .tls = &tls};
    muster_channel *channel = NULL;
    muster_error err;

    cr_expect_eq(muster_grpc_channel_create("static:///127.0.0.1:1", NULL,
                                            &options, &channel, &err),
                 MUSTER_INVAL);
    cr_expect_not_null(strstr(err.message, "exclude each other"), "%s",
                       err.message);
    grpc_channel_credentials_release(insecure);
}

/* ---- call credentials ---- */

/* Adds a header that the server sends back. */
static int add_header(void *state, grpc_auth_metadata_context context,
                      grpc_credentials_plugin_metadata_cb done, void *arg,
                      grpc_metadata items[4], size_t *n_items,
                      grpc_status_code *status, const char **details)
{
    (void)context;
    (void)done;
    (void)arg;
    (void)status;
    (void)details;
    memset(&items[0], 0, sizeof items[0]);
    items[0].key = grpc_slice_from_static_string("x-echo");
    items[0].value = grpc_slice_from_copied_string(state);
    *n_items = 1;
    return 1;
}

static grpc_call_credentials *make_call_credentials(const char *value)
{
    grpc_metadata_credentials_plugin plugin;

    memset(&plugin, 0, sizeof plugin);
    plugin.get_metadata = add_header;
    plugin.state = (void *)(size_t)value;
    plugin.type = "test";
    return grpc_metadata_credentials_create_from_plugin(
        plugin, GRPC_PRIVACY_AND_INTEGRITY, NULL);
}

static void expect_echo(const grpc_metadata_array *array, const char *text)
{
    const grpc_metadata *item = find(array, "x-echo");

    cr_assert_not_null(item);
    cr_expect_eq(grpc_slice_str_cmp(item->value, text), 0);
}

Test(grpc_tls, sends_call_credentials_of_channel_and_call)
{
    const certificates_path ca = certificates_find(&made, "ca");
    muster_grpc_tls_options tls = with_ca(&ca);
    grpc_call_credentials *mine = make_call_credentials("mine");
    muster_call_options options = patient;
    muster_channel *channel = NULL;
    muster_call *call;
    muster_error err;

    serve("server", NULL);
    tls.call_credentials = make_call_credentials("of the channel");
    cr_assert_eq(open_with(NULL, &tls, &channel, &err), MUSTER_OK, "%s",
                 err.message);
    grpc_call_credentials_release(tls.call_credentials);

    call = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    cr_assert_eq(result_of(call).status, GRPC_STATUS_OK, "%s",
                 result_of(call).message);
    expect_echo(result_of(call).initial_metadata, "of the channel");
    muster_call_destroy(call);

    options.credentials = mine; /* go beside those of the channel */
    call = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_OK, "%s",
                 result_of(call).message);
    muster_call_destroy(call);
    grpc_call_credentials_release(mine);
    muster_channel_destroy(channel);
}
