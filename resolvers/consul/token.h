/* SPDX-License-Identifier: Apache-2.0 */
/* The ACL token of a target. It is in no message. */
#ifndef MUSTER_RESOLVERS_CONSUL_TOKEN_H
#define MUSTER_RESOLVERS_CONSUL_TOKEN_H

#include <muster/status.h>

#include <sys/stat.h>

enum { MUSTER__CONSUL_TOKEN_SIZE = 4096 };

typedef struct muster__consul_token {
    const char *file;  /* the owner's; NULL: text is what is given */
    const char *given; /* the owner's; NULL: none */
    struct stat seen;  /* the file as it was read */
    char text[MUSTER__CONSUL_TOKEN_SIZE]; /* of the file; "": not read yet */
} muster__consul_token;

/* The token now: the file is read when it is another than before. *ret_text is
 * valid until the next call; NULL: there is no token. What cannot be read is an
 * error only when it never could: until it can be again, the last token
 * stays. MUSTER_PERMISSION, MUSTER_NOTFOUND, MUSTER_INVAL: err says what is
 * wrong. */
muster_status muster__consul_token_get(muster__consul_token *token,
                                       const char **ret_text,
                                       muster_error *err);

/* Wipes it. */
void muster__consul_token_fini(muster__consul_token *token);

#endif
