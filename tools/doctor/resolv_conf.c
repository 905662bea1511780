/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.conf, as its readers take it (resolv.conf(5)). */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../file.h"
#include "doctor.h"

enum { MAX_SERVERS = 3, MANY_DOMAINS = 6, MANY_DOTS = 5, MAX_DOTS = 15 };

typedef struct content {
    unsigned n_servers;
    unsigned n_domains;
    unsigned dots;
} content;

/* "10.0.0.1", "fe80::1%eth0" */
static bool is_address(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    const size_t length = strcspn(text, "%");

    if (length >= sizeof address) {
        return false;
    }
    memcpy(address, text, length);
    address[length] = '\0';
    return inet_pton(AF_INET6, address, bytes) == 1 ||
           (text[length] == '\0' && inet_pton(AF_INET, address, bytes) == 1);
}

static void read_server(doctor *self, content *found, const char *text)
{
    if (text == NULL) {
        doctor_report(self, VERDICT_FAILURE, "nameserver", NULL,
                      "put the address behind the word, in the same line",
                      "a line has none");
    } else if (!is_address(text)) {
        doctor_report(self, VERDICT_FAILURE, "nameserver", text,
                      "resolv.conf takes numeric addresses only",
                      "not an address");
    }
    found->n_servers++;
}

static void read_options(content *found, char *words)
{
    char *rest = NULL;

    for (char *word = strtok_r(words, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (strncmp(word, "ndots:", 6) == 0) {
            const unsigned long dots = strtoul(word + 6, NULL, 10);

            found->dots = dots < MAX_DOTS ? (unsigned)dots : MAX_DOTS;
        }
    }
}

static void count_domains(content *found, char *words)
{
    char *rest = NULL;

    found->n_domains = 0; /* the last such line is the one that counts */
    for (char *word = strtok_r(words, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        found->n_domains++;
    }
}

static void read_line(doctor *self, content *found, char *line)
{
    char *rest = NULL;
    char *key = strtok_r(line, " \t", &rest);

    if (key == NULL || key[0] == '#' || key[0] == ';') {
        return;
    }
    if (strcmp(key, "nameserver") == 0) {
        read_server(self, found, strtok_r(NULL, " \t", &rest));
    } else if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0) {
        count_domains(found, rest);
    } else if (strcmp(key, "options") == 0) {
        read_options(found, rest);
    }
}

static void judge_servers(doctor *self, const content *found)
{
    const char *path = self->settings->resolv_conf;

    if (found->n_servers == 0) {
        doctor_report(self, VERDICT_WARNING, "nameservers", path,
                      "without one, 127.0.0.1 is asked", "it names none");
    } else if (found->n_servers > MAX_SERVERS) {
        doctor_report(self, VERDICT_WARNING, "nameservers", path,
                      "the C library asks the first three only", "it names %u",
                      found->n_servers);
    } else {
        doctor_report(self, VERDICT_OK, "nameservers", path, NULL,
                      "it names %u", found->n_servers);
    }
}

static void judge_search(doctor *self, const content *found)
{
    const char *path = self->settings->resolv_conf;
    static const char hint[] =
        "end names with a dot (dns:///web.prod.:50051): they are then asked "
        "for as they are, once";

    if (found->n_domains > MANY_DOMAINS) {
        doctor_report(self, VERDICT_WARNING, "search", path, hint,
                      "%u domains are tried for each short name",
                      found->n_domains);
    } else if (found->dots >= MANY_DOTS && found->n_domains > 0) {
        doctor_report(self, VERDICT_WARNING, "search", path, hint,
                      "ndots:%u: names with fewer dots are tried in %u search "
                      "domains first",
                      found->dots, found->n_domains);
    } else {
        doctor_report(self, VERDICT_OK, "search", path, NULL,
                      "%u domains, ndots:%u", found->n_domains, found->dots);
    }
}

void doctor_check_resolv_conf(doctor *self)
{
    const char *path = self->settings->resolv_conf;
    size_t size;
    char *text = file_read(path, &size);
    content found = {.dots = 1};
    char *rest = NULL;

    if (text == NULL) {
        doctor_report(self, VERDICT_WARNING, "nameservers", path,
                      "without it, 127.0.0.1 is asked", "%s", strerror(errno));
        return;
    }
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        read_line(self, &found, line);
    }
    judge_servers(self, &found);
    judge_search(self, &found);
    free(text);
}
