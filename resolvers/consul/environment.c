/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the CONSUL_ variables. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>

#include <text.h>

#include "token.h"

#define NAME_CHARACTERS                                                        \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"

static const char *const names[MUSTER__CONSUL_N_VARIABLES] = {
    [MUSTER__CONSUL_HTTP_ADDR] = "CONSUL_HTTP_ADDR",
    [MUSTER__CONSUL_HTTP_TOKEN] = "CONSUL_HTTP_TOKEN",
    [MUSTER__CONSUL_HTTP_TOKEN_FILE] = "CONSUL_HTTP_TOKEN_FILE",
    [MUSTER__CONSUL_HTTP_SSL] = "CONSUL_HTTP_SSL",
    [MUSTER__CONSUL_HTTP_SSL_VERIFY] = "CONSUL_HTTP_SSL_VERIFY",
    [MUSTER__CONSUL_NAMESPACE] = "CONSUL_NAMESPACE",
    [MUSTER__CONSUL_PARTITION] = "CONSUL_PARTITION",
    [MUSTER__CONSUL_CACERT] = "CONSUL_CACERT",
    [MUSTER__CONSUL_CAPATH] = "CONSUL_CAPATH",
    [MUSTER__CONSUL_CLIENT_CERT] = "CONSUL_CLIENT_CERT",
    [MUSTER__CONSUL_CLIENT_KEY] = "CONSUL_CLIENT_KEY",
    [MUSTER__CONSUL_TLS_SERVER_NAME] = "CONSUL_TLS_SERVER_NAME"};

const char *muster__consul_variable_name(muster__consul_variable variable)
{
    return names[variable];
}

static muster_status copy_values(muster__consul_environment *environment,
                                 muster_error *err)
{
    for (size_t i = 0; i < MUSTER__CONSUL_N_VARIABLES; i++) {
        const char *value = secure_getenv(names[i]);

        if (value == NULL || *value == '\0') {
            continue;
        }
        environment->values[i] = strdup(value);
        if (environment->values[i] == NULL) {
            return muster_error_set(err, MUSTER_NOMEM, "out of memory");
        }
    }
    return MUSTER_OK;
}

/* The words of Go's strconv.ParseBool(), which the tools use. */
static bool read_truth(const char *text, bool *ret_truth)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *ret_truth = strcmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

static muster_status
read_variable_truth(const muster__consul_environment *environment,
                    muster__consul_variable variable, bool *truth,
                    muster_error *err)
{
    const char *value = environment->values[variable];

    if (value == NULL || read_truth(value, truth)) {
        return MUSTER_OK;
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "environment %s: %s is not true or false",
                            names[variable], muster__quote(value).text);
}

/* It becomes the host of a URL. */
static muster_status
check_server_name(const muster__consul_environment *environment,
                  muster_error *err)
{
    const char *name = environment->values[MUSTER__CONSUL_TLS_SERVER_NAME];

    if (name == NULL || name[strspn(name, NAME_CHARACTERS)] == '\0') {
        return MUSTER_OK;
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "environment CONSUL_TLS_SERVER_NAME: %s is not the "
                            "name of a host",
                            muster__quote(name).text);
}

/* It becomes the value of a header, where a line's end would begin another. It
 * is not shown. */
static muster_status check_token(const muster__consul_environment *environment,
                                 muster_error *err)
{
    const char *token = environment->values[MUSTER__CONSUL_HTTP_TOKEN];
    size_t length = 0;

    while (token != NULL && token[length] > ' ' && token[length] <= '~') {
        length++;
    }
    if (token == NULL ||
        (token[length] == '\0' && length < MUSTER__CONSUL_TOKEN_SIZE)) {
        return MUSTER_OK;
    }
    return muster_error_set(err, MUSTER_INVAL,
                            "environment CONSUL_HTTP_TOKEN: it is not of "
                            "visible ASCII characters, or over %d bytes long",
                            MUSTER__CONSUL_TOKEN_SIZE - 1);
}

muster_status muster__consul_environment_read(muster__consul_environment *ret,
                                              muster_error *err)
{
    muster__consul_environment environment = {.is_verified = true};
    muster_status status = copy_values(&environment, err);

    if (status == MUSTER_OK) {
        status = read_variable_truth(&environment, MUSTER__CONSUL_HTTP_SSL,
                                     &environment.is_tls, err);
    }
    if (status == MUSTER_OK) {
        status =
            read_variable_truth(&environment, MUSTER__CONSUL_HTTP_SSL_VERIFY,
                                &environment.is_verified, err);
    }
    if (status == MUSTER_OK) {
        status = check_server_name(&environment, err);
    }
    if (status == MUSTER_OK) {
        status = check_token(&environment, err);
    }
    if (status != MUSTER_OK) {
        muster__consul_environment_free(&environment);
        return status;
    }
    *ret = environment;
    return MUSTER_OK;
}

/* Among them are tokens: what is released is wiped. */
void muster__consul_environment_free(muster__consul_environment *environment)
{
    for (size_t i = 0; i < MUSTER__CONSUL_N_VARIABLES; i++) {
        char *value = environment->values[i];

        if (value != NULL) {
            explicit_bzero(value, strlen(value));
        }
        free(value);
        environment->values[i] = NULL;
    }
}
