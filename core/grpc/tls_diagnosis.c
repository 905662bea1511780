/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what is wrong with a server's certificate. */
#include "tls_diagnosis.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <grpc/support/string_util.h>

#include "tls_validity.h"

/* Around what is found, to be known again in C core's message. */
#define MARK "muster found: "
#define END_MARK ";"

bool muster__tls_diagnosis_is_due(const char *reason)
{
    return strstr(reason, "certificate verify failed") != NULL;
}

static void describe(const char *pem, char *text, size_t size)
{
    muster__tls_validity validity;
    char now[MUSTER__TLS_TIME_SIZE];
    const time_t seconds = time(NULL);
    struct tm parts;

    text[0] = '\0';
    if (pem == NULL || gmtime_r(&seconds, &parts) == NULL ||
        strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S", &parts) == 0 ||
        !muster__tls_validity_read(pem, &validity)) {
        return;
    }
    if (strcmp(now, validity.until) > 0) {
        (void)snprintf(text, size,
                       "the server's certificate has expired at %s UTC",
                       validity.until);
    } else if (strcmp(now, validity.from) < 0) {
        (void)snprintf(text, size,
                       "the server's certificate is not valid before %s UTC",
                       validity.from);
    }
}

/* C core's verifier: refuses all, and says what it saw. */
static int verify(void *user_data,
                  grpc_tls_custom_verification_check_request *request,
                  grpc_tls_on_custom_verification_check_done_cb callback,
                  void *callback_arg, grpc_status_code *sync_status,
                  char **sync_error_details)
{
    char found[128];
    char text[192];

    (void)user_data;
    (void)callback;
    (void)callback_arg;
    describe(request->peer_info.peer_cert, found, sizeof found);
    (void)snprintf(text, sizeof text, MARK "%s" END_MARK, found);
    *sync_status = GRPC_STATUS_UNAUTHENTICATED;
    *sync_error_details = gpr_strdup(text);
    return 1;
}

static void cancel(void *user_data,
                   grpc_tls_custom_verification_check_request *request)
{
    (void)user_data;
    (void)request;
}

static void destruct(void *user_data)
{
    (void)user_data;
}

grpc_channel_credentials *muster__tls_diagnosis_credentials(void)
{
    static grpc_tls_certificate_verifier_external external = {
        .verify = verify, .cancel = cancel, .destruct = destruct};
    grpc_tls_certificate_verifier *verifier =
        grpc_tls_certificate_verifier_external_create(&external);
    grpc_tls_credentials_options *options =
        grpc_tls_credentials_options_create();

    grpc_tls_credentials_options_set_certificate_verifier(options, verifier);
    grpc_tls_certificate_verifier_release(verifier);
    grpc_tls_credentials_options_set_verify_server_cert(options, 0);
    grpc_tls_credentials_options_set_check_call_host(options, 0);
    return grpc_tls_credentials_create(options);
}

bool muster__tls_diagnosis_read(const char *reason, char *text, size_t size)
{
    const char *found = strstr(reason, MARK);
    const char *end = found == NULL ? NULL : strstr(found, END_MARK);

    if (end == NULL) {
        return false;
    }
    found += strlen(MARK);
    (void)snprintf(text, size, "%.*s", (int)(end - found), found);
    return true;
}
