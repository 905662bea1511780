/* SPDX-License-Identifier: Apache-2.0 */
/* Writes endpoint addresses as C core targets. */
#include "grpc_target.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>

/* A query, which C core ignores. */
#define TARGET_MARK "?muster=1"

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* C core parses a target as a URI and decodes it. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~:/[]@!$&'()*+,;=", c) != NULL);
}

static char *append_encoded(char *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (is_plain(*text)) {
            *out++ = *text;
        } else {
            *out++ = '%';
            *out++ = hex[byte >> 4];
            *out++ = hex[byte & 15];
        }
    }
    *out = '\0';
    return out;
}

static bool is_path(const char *address)
{
    return has_prefix(address, "unix:") ||
           has_prefix(address, "unix-abstract:");
}

muster_status muster__grpc_target_of_address(const char *address,
                                             char **ret_target)
{
    const char *scheme = "ipv4:";
    char *target;
    char *end;

    if (is_path(address)) {
        scheme = "";
    } else if (address[0] == '[') {
        scheme = "ipv6:";
    }
    target = malloc(strlen(scheme) + 3 * strlen(address) + sizeof TARGET_MARK);
    if (target == NULL) {
        return MUSTER_NOMEM;
    }
    memcpy(target, scheme, strlen(scheme));
    end = append_encoded(target + strlen(scheme), address);
    memcpy(end, TARGET_MARK, sizeof TARGET_MARK);
    *ret_target = target;
    return MUSTER_OK;
}

bool muster__grpc_is_target(const char *text)
{
    const size_t length = strlen(text);
    const size_t mark = sizeof TARGET_MARK - 1;

    return length >= mark && strcmp(text + length - mark, TARGET_MARK) == 0;
}

char *muster__grpc_peer_of(grpc_call *call)
{
    char *peer = grpc_call_get_peer(call);

    if (muster__grpc_is_target(peer)) {
        gpr_free(peer);
        return NULL;
    }
    return peer;
}

const char *muster__grpc_authority_of(const muster_endpoint *endpoint,
                                      const char *authority)
{
    if (endpoint->hostname != NULL) {
        return endpoint->hostname;
    }
    if (authority != NULL) {
        return authority;
    }
    return is_path(endpoint->address) ? "localhost" : endpoint->address;
}
