/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a token from its file. */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <text.h>

/* Where a path should be there may be the token itself. */
static muster_status refuse(const muster__consul_token *token,
                            muster_status status, const char *why,
                            muster_error *err)
{
    return muster_error_set(err, status, "token file %s: %s",
                            strchr(token->file, '/') == NULL
                                ? "(not shown: it has no \"/\")"
                                : muster__quote(token->file).text,
                            why);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* What is between blanks; empty when that is no token: a header's value is
 * visible ASCII. */
static void trim(char *text, size_t length)
{
    size_t start = strspn(text, " \t\r\n");

    while (length > start && strchr(" \t\r\n", text[length - 1]) != NULL) {
        length--;
    }
    for (size_t i = start; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            length = start;
        }
    }
    memmove(text, text + start, length - start);
    text[length - start] = '\0';
}

_Static_assert(MUSTER__CONSUL_TOKEN_SIZE == 4096, "as a message says");

static muster_status read_from(muster__consul_token *token, int fd,
                               muster_error *err)
{
    char text[MUSTER__CONSUL_TOKEN_SIZE + 1];
    struct stat now;
    ssize_t length;

    if (fstat(fd, &now) != 0 || !S_ISREG(now.st_mode)) {
        return refuse(token, MUSTER_INVAL, "it is not a regular file", err);
    }
    if (*token->text != '\0' && is_same(&now, &token->seen)) {
        return MUSTER_OK;
    }
    length = read(fd, text, sizeof text - 1);
    if (length < 0) {
        return refuse(token, MUSTER_PERMISSION, strerror(errno), err);
    }
    if (length >= MUSTER__CONSUL_TOKEN_SIZE) { /* a part of it is none */
        explicit_bzero(text, sizeof text);
        return refuse(token, MUSTER_INVAL, "it is over 4095 bytes long", err);
    }
    text[length] = '\0';
    trim(text, (size_t)length);
    if (*text == '\0') {
        return refuse(token, MUSTER_INVAL,
                      "there is no token in it, of visible ASCII characters",
                      err);
    }
    memcpy(token->text, text, sizeof token->text);
    explicit_bzero(text, sizeof text);
    token->seen = now;
    return MUSTER_OK;
}

static muster_status read_file(muster__consul_token *token, muster_error *err)
{
    int fd = open(token->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    muster_status status;

    if (fd < 0) {
        return refuse(token,
                      errno == ENOENT ? MUSTER_NOTFOUND : MUSTER_PERMISSION,
                      strerror(errno), err);
    }
    status = read_from(token, fd, err);
    (void)close(fd);
    return status;
}

muster_status muster__consul_token_get(muster__consul_token *token,
                                       const char **ret_text, muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (token->file == NULL) {
        *ret_text = token->given;
        return MUSTER_OK;
    }
    status = read_file(token, err);
    if (*token->text == '\0') {
        return status;
    }
    *ret_text = token->text;
    return MUSTER_OK;
}

void muster__consul_token_fini(muster__consul_token *token)
{
    explicit_bzero(token->text, sizeof token->text);
}
