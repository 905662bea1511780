/* SPDX-License-Identifier: Apache-2.0 */
/* The variables that Consul's own tools read (api/api.go of Consul). */
#ifndef MUSTER_RESOLVERS_CONSUL_ENVIRONMENT_H
#define MUSTER_RESOLVERS_CONSUL_ENVIRONMENT_H

#include <muster/status.h>

#include <stdbool.h>

typedef enum muster__consul_variable {
    MUSTER__CONSUL_HTTP_ADDR,
    MUSTER__CONSUL_HTTP_TOKEN,
    MUSTER__CONSUL_HTTP_TOKEN_FILE,
    MUSTER__CONSUL_HTTP_SSL,
    MUSTER__CONSUL_HTTP_SSL_VERIFY,
    MUSTER__CONSUL_NAMESPACE,
    MUSTER__CONSUL_PARTITION,
    /* how an agent is spoken to by TLS */
    MUSTER__CONSUL_CACERT,
    MUSTER__CONSUL_CAPATH,
    MUSTER__CONSUL_CLIENT_CERT,
    MUSTER__CONSUL_CLIENT_KEY,
    MUSTER__CONSUL_TLS_SERVER_NAME,
    MUSTER__CONSUL_N_VARIABLES
} muster__consul_variable;

typedef struct muster__consul_environment {
    char *values[MUSTER__CONSUL_N_VARIABLES]; /* owned; NULL: unset or empty */
    bool is_tls;
    bool is_verified; /* the agent's certificate */
} muster__consul_environment;

/* Copies them; none in a set-uid program. *ret is to be freed by
 * muster__consul_environment_free(), which may be called on zeroes.
 * MUSTER_INVAL (a value that is no truth value), MUSTER_NOMEM. */
muster_status muster__consul_environment_read(muster__consul_environment *ret,
                                              muster_error *err);
void muster__consul_environment_free(muster__consul_environment *environment);

/* "CONSUL_CACERT" */
const char *muster__consul_variable_name(muster__consul_variable variable);

#endif
