/* SPDX-License-Identifier: Apache-2.0 */
/* TLS options, and whether they make sense. */
#include "tls_options.h"

#include <stdlib.h>
#include <string.h>

#include "sized.h"
#include "tls_file.h"

enum { N_STRINGS = 6 };

/* The fields that are strings. */
static void list_strings(muster_grpc_tls_options *options,
                         const char **strings[N_STRINGS])
{
    strings[0] = &options->ca_file;
    strings[1] = &options->ca_pem;
    strings[2] = &options->certificate_file;
    strings[3] = &options->certificate_pem;
    strings[4] = &options->key_file;
    strings[5] = &options->key_pem;
}

/* What is wrong; NULL when nothing is. */
static const char *contradiction(const muster_grpc_tls_options *options)
{
    const bool has_certificate =
        options->certificate_file != NULL || options->certificate_pem != NULL;
    const bool has_key = options->key_file != NULL || options->key_pem != NULL;

    if (options->ca_file != NULL && options->ca_pem != NULL) {
        return "ca_file and ca_pem exclude each other";
    }
    if (options->certificate_file != NULL && options->certificate_pem != NULL) {
        return "certificate_file and certificate_pem exclude each other";
    }
    if (options->key_file != NULL && options->key_pem != NULL) {
        return "key_file and key_pem exclude each other";
    }
    if (has_certificate != has_key) {
        return has_key ? "a key needs its certificate"
                       : "a certificate needs its key";
    }
    return NULL;
}

muster_status muster__tls_options_copy(const muster_grpc_tls_options *given,
                                       muster_grpc_tls_options *ret_options,
                                       muster_error *err)
{
    muster_grpc_tls_options copy;
    const char **strings[N_STRINGS];
    const char *wrong;
    bool is_whole = true;

    muster__sized_read(&copy, sizeof copy, given);
    wrong = contradiction(&copy);
    if (wrong != NULL) {
        return muster_error_set(err, MUSTER_INVAL, "TLS options: %s", wrong);
    }
    list_strings(&copy, strings);
    for (int i = 0; i < N_STRINGS; i++) {
        if (*strings[i] != NULL) {
            *strings[i] = strdup(*strings[i]);
            is_whole = is_whole && *strings[i] != NULL;
        }
    }
    if (!is_whole) {
        muster__tls_options_fini(&copy);
        return muster_error_set(err, MUSTER_NOMEM, "%s",
                                muster_status_text(MUSTER_NOMEM));
    }
    *ret_options = copy;
    return MUSTER_OK;
}

void muster__tls_options_fini(muster_grpc_tls_options *options)
{
    const char **strings[N_STRINGS];

    list_strings(options, strings);
    for (int i = 0; i < N_STRINGS; i++) {
        char *text = (void *)(uintptr_t)*strings[i];

        muster__tls_wipe(text, text == NULL ? 0 : strlen(text));
        *strings[i] = NULL;
    }
}

bool muster__tls_options_have_files(const muster_grpc_tls_options *options)
{
    return options->ca_file != NULL || options->certificate_file != NULL ||
           options->key_file != NULL;
}

bool muster__tls_is_name(const char *authority)
{
    return authority[0] != '\0' && authority[0] != ':' &&
           strncmp(authority, "[]", 2) != 0;
}
