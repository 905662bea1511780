/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies' own part of a call costs, beside round_robin's:
 * policies [--json] [--quick]
 *
 * All that are compiled in. A pick, by a key of its own, and the end of its
 * call by one thread, with nothing around them: the processor time of the
 * thread, best of many short rounds. "full_scan" looks at every endpoint. */
#include <muster/muster.h>
#include <muster/plugin.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bare_policy.h>

#include "figure.h"

#define PREFIX "balancer:"

enum { N_ROUNDS = 100, N_SIZES = 3, N_KEYS = 1024, MAX_ENTRIES = 64 };

/* A round: short, so that some of them are not interrupted. */
#define ROUND_NS 500000
#define MAX_CALLS 20000

static const uint32_t sizes[N_SIZES] = {10, 1000, 100000};

static char keys[N_KEYS][16];
static muster_call_info infos[N_KEYS];

typedef struct entry {
    char name[64];
    const muster_balancer_class *class_;
    const char *config;
} entry;

typedef struct entries {
    entry of[MAX_ENTRIES];
    size_t n;
} entries;

/* ---- which ---- */

/* Of the policies that do not do without settings. */
static const char *const settings[][2] = {
    {"slow_start", "{\"slowStartWindow\": \"10s\"}"},
    {"random_subsetting",
     "{\"subsetSize\": 8, \"childPolicy\": [{\"round_robin\": {}}]}"},
    {"balanced_subsetting",
     "{\"subsetSize\": 8, \"clientIndex\": 1, \"clientCount\": 20, "
     "\"childPolicy\": [{\"round_robin\": {}}]}"},
    {"zone_aware", "{\"localZone\": \"a\"}"},
};

static const char *settings_of(const char *name)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (strcmp(settings[i][0], name) == 0) {
            return settings[i][1];
        }
    }
    return "{}";
}

static void add(entries *self, const char *name,
                const muster_balancer_class *class_, const char *config)
{
    if (self->n < MAX_ENTRIES) {
        entry *added = &self->of[self->n++];

        (void)snprintf(added->name, sizeof added->name, "%s", name);
        added->class_ = class_;
        added->config = config;
    }
}

/* A class under a further name has the same functions. */
static void add_class(entries *self, const char *name)
{
    const muster_balancer_class *class_ = NULL;

    if (muster_plugin_find_balancer(name, &class_, NULL) != MUSTER_OK ||
        (self->n > 0 &&
         self->of[self->n - 1].class_->create == class_->create)) {
        return;
    }
    if (strcmp(name, "least_request") == 0) {
        add(self, "least_request.full_scan", class_,
            "{\"selectionMethod\": \"FULL_SCAN\"}");
    }
    add(self, name, class_, settings_of(name));
}

typedef struct names {
    char text[4096];
    size_t length;
} names;

/* Nothing may be looked for in here. */
static void note_plugin(void *arg, const muster_plugin_info *info)
{
    names *self = arg;
    int n;

    if (info->path[0] == '\0' && info->refusal == NULL) {
        n = snprintf(self->text + self->length,
                     sizeof self->text - self->length, "%s ", info->classes);
        self->length += (size_t)n;
        if (self->length >= sizeof self->text) {
            abort();
        }
    }
}

static void find_all(entries *self)
{
    names found = {.length = 0};
    char *rest = NULL;

    if (muster_plugin_list(note_plugin, &found) != MUSTER_OK) {
        abort();
    }
    for (char *word = strtok_r(found.text, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        if (strncmp(word, PREFIX, strlen(PREFIX)) == 0) {
            add_class(self, word + strlen(PREFIX));
        }
    }
}

/* ---- how long ---- */

static double thread_ns(void)
{
    struct timespec used;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e9 + (double)used.tv_nsec;
}

static double round_ns(bare_policy *policy, uint64_t n_calls)
{
    double began_ns = thread_ns();

    for (uint64_t i = 0; i < n_calls; i++) {
        uint32_t index = bare_policy_place(policy, 0, &infos[i % N_KEYS]);

        bare_policy_done(policy, index, 300000 + (i & 0xffff));
    }
    return (thread_ns() - began_ns) / (double)n_calls;
}

static uint64_t calls_of_round(bare_policy *policy)
{
    double n = ROUND_NS / round_ns(policy, 10);

    if (figure_is_quick()) {
        return 100;
    }
    return n > MAX_CALLS ? MAX_CALLS : n < 1 ? 1 : (uint64_t)n;
}

typedef struct contest {
    bare_policy *policy;
    bare_policy *peer;
    double ns; /* a call, the best round */
    double peer_ns;
} contest;

static void keep_best(double *best, double ns)
{
    *best = *best == 0 || ns < *best ? ns : *best;
}

/* By turns, so that both have the same machine. */
static void run(contest *self)
{
    const uint64_t n_calls = calls_of_round(self->policy);
    const uint64_t n_peer_calls = calls_of_round(self->peer);
    const int n_rounds = figure_is_quick() ? 1 : N_ROUNDS;

    for (int round = 0; round < n_rounds; round++) {
        keep_best(&self->ns, round_ns(self->policy, n_calls));
        keep_best(&self->peer_ns, round_ns(self->peer, n_peer_calls));
    }
}

static void measure(const entry *of, uint32_t n,
                    const muster_balancer_class *peer_class)
{
    contest both = {.policy = bare_policy_create(of->class_, of->config, n),
                    .peer = bare_policy_create(peer_class, "{}", n)};
    char name[96];

    run(&both);
    (void)snprintf(name, sizeof name, "policy_ns.%s.%u", of->name, n);
    figure_print_beside(name, both.ns, "ns", peer_class->name, both.peer_ns);
    bare_policy_destroy(both.policy);
    bare_policy_destroy(both.peer);
}

int main(int argc, char **argv)
{
    static entries all;
    const muster_balancer_class *round_robin = NULL;

    figure_init(&argc, argv);
    for (uint32_t i = 0; i < N_KEYS; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "user-%u", i);
        infos[i].struct_size = (uint32_t)sizeof infos[i];
        infos[i].hash_key = keys[i];
    }
    if (muster_plugin_find_balancer("round_robin", &round_robin, NULL) !=
        MUSTER_OK) {
        abort();
    }
    find_all(&all);
    for (size_t i = 0; i < all.n; i++) {
        for (int k = 0; k < N_SIZES; k++) {
            measure(&all.of[i], sizes[k], round_robin);
        }
    }
    return EXIT_SUCCESS;
}
