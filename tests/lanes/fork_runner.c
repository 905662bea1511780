/* SPDX-License-Identifier: Apache-2.0 */
/* In each Criterion test: runs each case in a process that is forked from this
 * program. Criterion starts the program anew for each, and with a sanitizer
 * that is most of the time of a short case: 50 libraries to relocate, and
 * tables to make. Given any argument, or told by the environment, or with what
 * only Criterion has (hooks, parameters), Criterion runs. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "forked_case.h"

/* The linker's names for where sections begin and end, of what Test(),
 * TestSuite() and ReportHook() define; NULL when there are none. */
#define SECTION extern __attribute__((weak, visibility("hidden")))
SECTION struct criterion_test *const __start_cr_tst[];
SECTION struct criterion_test *const __stop_cr_tst[];
SECTION struct criterion_suite *const __start_cr_sts[];
SECTION struct criterion_suite *const __stop_cr_sts[];
SECTION f_report_hook __start_cr_pra[], __start_cr_prs[], __start_cr_pri[];
SECTION f_report_hook __start_cr_prt[], __start_cr_ast[], __start_cr_thf[];
SECTION f_report_hook __start_cr_tsc[], __start_cr_pot[], __start_cr_pof[];
SECTION f_report_hook __start_cr_pos[], __start_cr_poa[];

enum { MAX_JOBS = 64, NS_PER_S = 1000000000 };

typedef struct job {
    pid_t pid; /* 0: free */
    const struct criterion_test *test;
    forked_report *report;
    double ends_s; /* when it is killed */
    bool is_late;
} job;

static struct {
    job jobs[MAX_JOBS];
    size_t n_jobs, n_running;
    unsigned n_tested, n_passing, n_failing, n_crashing;
    sigset_t mask; /* as it was when this program began */
} runner;

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / NS_PER_S;
}

static const struct criterion_suite *
find_suite(const struct criterion_test *test)
{
    for (struct criterion_suite *const *suite = __start_cr_sts;
         suite < __stop_cr_sts; suite++) {
        if (*suite != NULL && strcmp((*suite)->name, test->category) == 0) {
            return *suite;
        }
    }
    return NULL;
}

static bool is_disabled(const struct criterion_test *test)
{
    const struct criterion_suite *suite = find_suite(test);

    return test->data->disabled ||
           (suite != NULL && suite->data != NULL && suite->data->disabled);
}

static double timeout_s(const struct criterion_test *test)
{
    const struct criterion_suite *suite = find_suite(test);

    if (test->data->timeout > 0) {
        return test->data->timeout;
    }
    if (suite != NULL && suite->data != NULL && suite->data->timeout > 0) {
        return suite->data->timeout;
    }
    return INFINITY;
}

/* BoxFort, of Criterion, has what it starts end with its parent, too, and leave
 * the process group; and Criterion, read nothing. */
static void become_case(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    (void)setsid();
    (void)sigprocmask(SIG_SETMASK, &runner.mask, NULL);
}

static void fail(const struct criterion_test *test, const char *why)
{
    runner.n_failing++;
    (void)fprintf(stderr, "[FAIL] %s::%s: %s\n", test->category, test->name,
                  why);
}

static job *find_job(pid_t pid)
{
    for (size_t i = 0; i < runner.n_jobs; i++) {
        if (runner.jobs[i].pid == pid) {
            return &runner.jobs[i];
        }
    }
    return NULL;
}

static void begin(const struct criterion_test *test, forked_report *report)
{
    job *free_job = find_job(0);
    pid_t parent = getpid();
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        become_case(parent);
        forked_case_run(test, find_suite(test), report);
    }
    if (pid < 0) {
        runner.n_tested++;
        fail(test, strerror(errno));
        return;
    }
    *free_job = (job){.pid = pid,
                      .test = test,
                      .report = report,
                      .ends_s = now_s() + timeout_s(test)};
    runner.n_running++;
}

/* Whether its process ended as the case says, and why not. */
static bool ended_well(const job *ended, int status, char *why, size_t size)
{
    const struct criterion_test_extra_data *wanted = ended->test->data;

    if (ended->is_late) {
        (void)snprintf(why, size, "timed out after %g s",
                       timeout_s(ended->test));
        return false;
    }
    if (WIFSIGNALED(status)) {
        (void)snprintf(why, size, "ended by signal %d, %s", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
        return WTERMSIG(status) == wanted->signal;
    }
    if (wanted->signal != 0) {
        (void)snprintf(why, size, "not ended by signal %d", wanted->signal);
        return false;
    }
    if (WEXITSTATUS(status) != wanted->exit_code) {
        (void)snprintf(why, size, "exit code %d, not %d", WEXITSTATUS(status),
                       wanted->exit_code);
        return false;
    }
    (void)snprintf(why, size, "exited before its end");
    return wanted->exit_code != 0 || ended->report->has_ended ||
           ended->report->is_skipped;
}

static void judge(const job *ended, int status)
{
    unsigned failed = ended->report->failed_asserts;
    char why[128];
    bool is_well = ended_well(ended, status, why, sizeof(why));

    if (is_well && failed == 0) {
        runner.n_tested += !ended->report->is_skipped;
        runner.n_passing += !ended->report->is_skipped;
        return;
    }
    runner.n_tested++;
    if (WIFSIGNALED(status) && !is_well && !ended->is_late) {
        runner.n_crashing++;
    }
    if (failed > 0 && (is_well || (WIFEXITED(status) && !ended->is_late))) {
        (void)snprintf(why, sizeof(why), "%u failed assertions", failed);
    }
    fail(ended->test, why);
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* Until a child has ended, or one is late. */
static void wait_for_change(void)
{
    struct timespec timeout = {.tv_sec = 0};
    double rest_s = 3600;
    sigset_t child;

    for (size_t i = 0; i < runner.n_jobs; i++) {
        if (runner.jobs[i].pid != 0 && !runner.jobs[i].is_late) {
            rest_s = smaller(rest_s, runner.jobs[i].ends_s - now_s());
        }
    }
    rest_s = rest_s > 0 ? rest_s : 0;
    timeout.tv_sec = (time_t)rest_s;
    timeout.tv_nsec = (long)((rest_s - (double)timeout.tv_sec) * NS_PER_S);
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)sigtimedwait(&child, NULL, &timeout);
}

/* With all that is still in its process group. */
static void kill_late(void)
{
    for (size_t i = 0; i < runner.n_jobs; i++) {
        job *late = &runner.jobs[i];

        if (late->pid != 0 && !late->is_late && late->ends_s <= now_s()) {
            late->is_late = true;
            (void)kill(late->pid, SIGKILL);
            (void)kill(-late->pid, SIGKILL);
        }
    }
}

static void wait_for_one(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    job *ended = pid > 0 ? find_job(pid) : NULL;

    if (ended != NULL) {
        judge(ended, status);
        ended->pid = 0;
        runner.n_running--;
    } else if (pid == 0) {
        wait_for_change();
        kill_late();
    } else if (pid < 0) {
        perror("[FAIL] the runner lost its cases: waitpid");
        _exit(EXIT_FAILURE);
    }
}

/* Memory of all cases' reports; an array of its own for each, never reused. */
static forked_report *share_reports(size_t n)
{
    void *memory =
        mmap(NULL, (n + 1) * sizeof(forked_report), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("[FAIL] the runner: mmap");
        _exit(EXIT_FAILURE);
    }
    return memory;
}

static size_t jobs_at_once(void)
{
    const char *told = getenv("CRITERION_JOBS");
    long n = told != NULL ? strtol(told, NULL, 10) : 0;

    if (n < 1) {
        n = sysconf(_SC_NPROCESSORS_ONLN);
    }
    return n < 1 ? 1 : n > MAX_JOBS ? MAX_JOBS : (size_t)n;
}

/* As with Criterion, a case reads nothing. In place: cases count descriptors.
 */
static void close_stdin(void)
{
    int nothing = open("/dev/null", O_RDONLY);

    if (nothing > STDIN_FILENO) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)close(nothing);
    }
}

static void prepare(void)
{
    sigset_t child;

    runner.n_jobs = jobs_at_once();
    close_stdin();
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &child, &runner.mask);
}

static void run_each(void)
{
    size_t n = (size_t)(__stop_cr_tst - __start_cr_tst);
    forked_report *reports = share_reports(n);

    for (size_t i = 0; i < n; i++) {
        const struct criterion_test *test = __start_cr_tst[i];

        if (test == NULL || is_disabled(test)) {
            continue;
        }
        while (runner.n_running == runner.n_jobs) {
            wait_for_one();
        }
        begin(test, &reports[i]);
    }
    while (runner.n_running > 0) {
        wait_for_one();
    }
}

static bool has_hooks(void)
{
    return __start_cr_pra != NULL || __start_cr_prs != NULL ||
           __start_cr_pri != NULL || __start_cr_prt != NULL ||
           __start_cr_ast != NULL || __start_cr_thf != NULL ||
           __start_cr_tsc != NULL || __start_cr_pot != NULL ||
           __start_cr_pof != NULL || __start_cr_pos != NULL ||
           __start_cr_poa != NULL;
}

static bool has_parameters(void)
{
    for (struct criterion_test *const *test = __start_cr_tst;
         test < __stop_cr_tst; test++) {
        if (*test != NULL && (*test)->data->kind_ != CR_TEST_NORMAL) {
            return true;
        }
    }
    return false;
}

/* BXFI_MAP: in a process that BoxFort started, this is not to be reached. */
static bool is_told_otherwise(void)
{
    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, "BXFI_MAP=", 9) == 0 ||
            (strncmp(*variable, "CRITERION_", 10) == 0 &&
             strncmp(*variable, "CRITERION_JOBS=", 15) != 0)) {
            return true;
        }
    }
    return false;
}

/* As the main() within libcriterion. */
static int run_criterion(int argc, char **argv)
{
    struct criterion_test_set *tests = criterion_initialize();
    int result = 0;

    if (criterion_handle_args(argc, argv, true)) {
        result = !criterion_run_all_tests(tests);
    }
    criterion_finalize(tests);
    return result;
}

/* BoxFort finds it by its name, in the processes that it starts. */
__attribute__((visibility("default"))) int main(int argc, char **argv)
{
    if (argc != 1 || __start_cr_tst == NULL || has_hooks() ||
        has_parameters() || is_told_otherwise()) {
        return run_criterion(argc, argv);
    }
    prepare();
    run_each();
    (void)fprintf(stderr,
                  "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | "
                  "Crashing: %u\n",
                  runner.n_tested, runner.n_passing, runner.n_failing,
                  runner.n_crashing);
    /* Its own memory is what each case had, and looked at. */
    (void)fflush(NULL);
    _exit(runner.n_failing > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
