/* SPDX-License-Identifier: Apache-2.0 */
/* Writes queries (developer.hashicorp.com/consul/api-docs/health). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"

typedef struct writer {
    FILE *file;
    bool has_failed;
    char separator; /* "?" before the first parameter, then "&" */
} writer;

static void write_escaped(writer *to, const char *text, size_t length)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\0' && strchr(plain, text[i]) != NULL) {
            (void)fputc(text[i], to->file);
        } else {
            (void)fprintf(to->file, "%%%02X", (unsigned)(unsigned char)text[i]);
        }
    }
}

static void write_parameter(writer *to, const char *name, const char *value,
                            size_t length)
{
    (void)fprintf(to->file, "%c%s=", to->separator, name);
    to->separator = '&';
    write_escaped(to, value, length);
}

static void write_if_given(writer *to, const char *name, const char *value)
{
    if (value != NULL) {
        write_parameter(to, name, value, strlen(value));
    }
}

static void write_tags(writer *to, const char *tags)
{
    while (tags != NULL && *tags != '\0') {
        size_t length = strcspn(tags, ",");

        if (length > 0) {
            write_parameter(to, "tag", tags, length);
        }
        tags += length + (tags[length] == ',' ? 1 : 0);
    }
}

static const char *or_variable(const muster__consul_instance *self,
                               const char *given,
                               muster__consul_variable variable)
{
    return given != NULL ? given : self->environment.values[variable];
}

static void write_base(writer *to, const muster__consul_instance *self)
{
    const muster__consul_options *options = &self->options;

    (void)fprintf(to->file, "/v1/health/service/");
    write_escaped(to, self->service, strlen(self->service));
    to->separator = '?';
    write_if_given(to, "passing", options->is_passing ? "1" : NULL);
    write_if_given(to, "dc", options->dc);
    write_tags(to, options->tag);
    write_if_given(to, "near", options->near);
    write_if_given(to, "filter", options->filter);
    write_if_given(to, "ns",
                   or_variable(self, options->ns, MUSTER__CONSUL_NAMESPACE));
    write_if_given(
        to, "partition",
        or_variable(self, options->partition, MUSTER__CONSUL_PARTITION));
}

char *muster__consul_query_base(const muster__consul_instance *self)
{
    char *text = NULL;
    size_t size = 0;
    writer to = {.file = open_memstream(&text, &size)};

    if (to.file == NULL) {
        return NULL;
    }
    write_base(&to, self);
    if (fclose(to.file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A read that confirms is one that the leader makes sure of. */
char *muster__consul_query(const muster__consul_instance *self)
{
    const muster__consul_options *options = &self->options;
    bool is_sure = self->is_confirming ||
                   options->consistency == MUSTER__CONSUL_CONSISTENT;
    bool is_stale = !is_sure && options->consistency == MUSTER__CONSUL_STALE;
    char index[48] = "";
    char *text = NULL;

    if (self->index > 0 && !self->is_confirming) {
        (void)snprintf(index, sizeof index, "&index=%" PRIu64, self->index);
    }
    if (asprintf(&text, "%s%s%s%s%s%s", self->query,
                 strchr(self->query, '?') != NULL ? "" : "?",
                 is_sure ? "&consistent" : "", is_stale ? "&stale" : "",
                 options->is_cached && !is_sure ? "&cached" : "", index) < 0) {
        return NULL;
    }
    return text;
}
