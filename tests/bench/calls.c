/* SPDX-License-Identifier: Apache-2.0 */
/* bench_calls: unary calls from end to end over echo servers, muster beside C
 * core's own round_robin or beside bare channels, one an address. Alternating
 * pairs of runs, each run a process of its own; the median of the pairs'
 * ratios, and where 90 % of resampled medians lie. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "figure.h"
#include "load.h"

enum { MAX_SERVERS = 16, MAX_PAIRS = 101, N_RESAMPLES = 2000 };

typedef struct settings {
    int n_pairs;
    int n_servers;
    double run_s;
    const char *only; /* "blocking.8", or NULL */
    const char *ours; /* names of sides */
    const char *theirs;
    /* In the processes that run: */
    const char *side;
    const char *addresses;
    const char *mode;
    int n_callers;
} settings;

static settings chosen = {.n_pairs = 15,
                          .n_servers = 8,
                          .run_s = 3,
                          .ours = "muster",
                          .theirs = "round_robin"};

typedef struct shape {
    const char *mode;
    int n_callers;
} shape;

static const shape shapes[] = {
    {"blocking", 1}, {"blocking", 8}, {"blocking", 32}, {"async", 32}};

/* One kind of number, over all pairs. */
typedef struct series {
    double ours[MAX_PAIRS];
    double theirs[MAX_PAIRS];
    double ratios[MAX_PAIRS];
} series;

static const struct {
    const char *name;
    const load_side *side;
} sides[] = {{"muster", &load_muster},
             {"round_robin", &load_round_robin},
             {"bare", &load_bare}};

static series speed;
static series cpu;

static const load_side *find_side(const char *name)
{
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        if (strcmp(sides[i].name, name) == 0) {
            return sides[i].side;
        }
    }
    return NULL;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    switch (key) {
    case 'p':
        chosen.n_pairs = atoi(text);
        break;
    case 's':
        chosen.run_s = strtod(text, NULL);
        break;
    case 'b':
        chosen.n_servers = atoi(text);
        break;
    case 'o':
        chosen.only = text;
        break;
    case 'u':
        chosen.ours = text;
        break;
    case 't':
        chosen.theirs = text;
        break;
    case 'r':
        chosen.side = text;
        break;
    case 'a':
        chosen.addresses = text;
        break;
    case 'm':
        chosen.mode = text;
        break;
    case 'c':
        chosen.n_callers = atoi(text);
        break;
    case ARGP_KEY_END:
        if (chosen.n_pairs < 1 || chosen.n_pairs > MAX_PAIRS ||
            chosen.n_servers < 1 || chosen.n_servers > MAX_SERVERS) {
            argp_error(state, "1 to %d pairs, 1 to %d servers", MAX_PAIRS,
                       MAX_SERVERS);
        }
        if (find_side(chosen.ours) == NULL ||
            find_side(chosen.theirs) == NULL) {
            argp_error(state, "the sides are muster, round_robin and bare");
        }
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option flags[] = {
    {"pairs", 'p', "N", 0, "pairs of runs, after one to warm up (15)", 0},
    {"seconds", 's', "S", 0, "of each run (3)", 0},
    {"servers", 'b', "N", 0, "echo servers (8)", 0},
    {"only", 'o', "MODE.CALLERS", 0, "blocking.1, .8, .32 or async.32", 0},
    {"ours", 'u', "SIDE", 0, "muster, round_robin or bare (muster)", 0},
    {"theirs", 't', "SIDE", 0, "the side that it is divided by (round_robin)",
     0},
    {"run", 'r', "SIDE", OPTION_HIDDEN, "", 0},
    {"addresses", 'a', "LIST", OPTION_HIDDEN, "", 0},
    {"mode", 'm', "MODE", OPTION_HIDDEN, "", 0},
    {"callers", 'c', "N", OPTION_HIDDEN, "", 0},
    {0}};

/* ---- a process that runs ---- */

static int run_side(void)
{
    const load_side *side = find_side(chosen.side);
    load_result result;

    if (side == NULL ||
        !load_run(side, chosen.addresses, strcmp(chosen.mode, "blocking") == 0,
                  chosen.n_callers, chosen.run_s / 6, chosen.run_s, &result)) {
        (void)fprintf(stderr, "a call through %s failed\n", chosen.side);
        return 1;
    }
    (void)printf("%.6f %.6f\n", result.calls_per_s, result.cpu_us_per_call);
    /* Neither side is asked to clean up. */
    (void)fflush(stdout);
    _exit(0);
}

/* ---- the process that compares ---- */

static load_result run_in_process(const char *side, const char *addresses,
                                  const shape *of)
{
    load_result result;
    char command[2048];
    FILE *stream;

    (void)snprintf(command, sizeof command,
                   "exec /proc/%d/exe --run=%s --addresses=%s --mode=%s "
                   "--callers=%d --seconds=%g",
                   (int)getpid(), side, addresses, of->mode, of->n_callers,
                   chosen.run_s);
    stream = popen(command, "re");
    if (stream == NULL || fscanf(stream, "%lf %lf", &result.calls_per_s,
                                 &result.cpu_us_per_call) != 2) {
        (void)fprintf(stderr, "bench_calls: a run of %s failed\n", side);
        exit(1);
    }
    (void)pclose(stream);
    return result;
}

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(const double *values, int n_values)
{
    double sorted[MAX_PAIRS];

    memcpy(sorted, values, sizeof *values * (size_t)n_values);
    qsort(sorted, (size_t)n_values, sizeof *sorted, compare);
    return n_values % 2 == 1
               ? sorted[n_values / 2]
               : (sorted[n_values / 2 - 1] + sorted[n_values / 2]) / 2;
}

/* Where 90 % of the medians of resampled values lie. */
static void bootstrap(const double *values, int n_values, double *ret_low,
                      double *ret_high)
{
    static double medians[N_RESAMPLES];
    unsigned seed = 1;

    for (int i = 0; i < N_RESAMPLES; i++) {
        double sample[MAX_PAIRS];

        for (int j = 0; j < n_values; j++) {
            sample[j] = values[rand_r(&seed) % n_values];
        }
        medians[i] = median(sample, n_values);
    }
    qsort(medians, N_RESAMPLES, sizeof *medians, compare);
    *ret_low = medians[N_RESAMPLES / 20];
    *ret_high = medians[N_RESAMPLES - 1 - N_RESAMPLES / 20];
}

static void add(series *numbers, int index, double ours, double theirs)
{
    numbers->ours[index] = ours;
    numbers->theirs[index] = theirs;
    numbers->ratios[index] = ours / theirs;
}

static void print(const char *kind, const char *unit, const shape *of,
                  const series *numbers)
{
    const int n = chosen.n_pairs;
    char name[64];
    double low;
    double high;

    (void)snprintf(name, sizeof name, "%s.%s.%d", kind, of->mode,
                   of->n_callers);
    figure_print_beside(name, median(numbers->ours, n), unit, chosen.theirs,
                        median(numbers->theirs, n));
    bootstrap(numbers->ratios, n, &low, &high);
    (void)snprintf(name, sizeof name, "%s_ratio.%s.%d", kind, of->mode,
                   of->n_callers);
    figure_print(name, median(numbers->ratios, n), "median of pairs");
    (void)snprintf(name, sizeof name, "%s_ratio_low.%s.%d", kind, of->mode,
                   of->n_callers);
    figure_print(name, low, "5 %");
    (void)snprintf(name, sizeof name, "%s_ratio_high.%s.%d", kind, of->mode,
                   of->n_callers);
    figure_print(name, high, "95 %");
}

static void run_shape(const char *addresses, const shape *of)
{
    for (int i = figure_is_quick() ? 0 : -1; i < chosen.n_pairs; i++) {
        const bool ours_first = i % 2 == 0;
        load_result ours;
        load_result theirs;

        if (ours_first) {
            ours = run_in_process(chosen.ours, addresses, of);
        }
        theirs = run_in_process(chosen.theirs, addresses, of);
        if (!ours_first) {
            ours = run_in_process(chosen.ours, addresses, of);
        }
        if (i >= 0) {
            add(&speed, i, ours.calls_per_s, theirs.calls_per_s);
            add(&cpu, i, ours.cpu_us_per_call, theirs.cpu_us_per_call);
        }
    }
    print("calls_per_s", "calls/s", of, &speed);
    print("cpu_per_call", "us", of, &cpu);
}

static bool is_chosen(const shape *of)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s.%d", of->mode, of->n_callers);
    return chosen.only == NULL || strcmp(chosen.only, name) == 0;
}

int main(int argc, char **argv)
{
    const struct argp argp = {.options = flags, .parser = parse};
    backend servers[MAX_SERVERS] = {0};
    char addresses[MAX_SERVERS * 32] = "";
    int n_started = 0;

    figure_init(&argc, argv);
    if (figure_is_quick()) {
        chosen.n_pairs = 1;
        chosen.run_s = 0.2;
    }
    if (argp_parse(&argp, argc, argv, 0, NULL, NULL) != 0) {
        return 2;
    }
    if (chosen.side != NULL) {
        return run_side();
    }
    while (n_started < chosen.n_servers &&
           backend_start(&servers[n_started], NULL)) {
        (void)strcat(addresses, n_started == 0 ? "" : ",");
        (void)strcat(addresses, servers[n_started].address);
        n_started++;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (n_started == chosen.n_servers && is_chosen(&shapes[i])) {
            run_shape(addresses, &shapes[i]);
        }
    }
    for (int i = 0; i < n_started; i++) {
        backend_kill(&servers[i]);
    }
    return n_started == chosen.n_servers ? 0 : 1;
}
