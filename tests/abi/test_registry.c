/* SPDX-License-Identifier: Apache-2.0 */
/* Which plugin serves what: built in, registered, found in the search path. */
#include "plugin_files.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "registry.h"

static const char *folder;

static void set_up(void)
{
    folder = folder_make();
    (void)unsetenv("MUSTER_TEST_GOOD_RAN");
    cr_assert_eq(setenv("MUSTER_PLUGIN_PATH", folder, 1), 0);
}

TestSuite(registry, .init = set_up, .fini = folder_remove);

static bool good_ran(void)
{
    return getenv("MUSTER_TEST_GOOD_RAN") != NULL;
}

static muster_status find_resolver(const char *scheme, muster_error *err)
{
    const muster_resolver_class *class_ = NULL;
    muster__plugin *plugin = NULL;
    muster_status status =
        muster__registry_resolver(scheme, &class_, &plugin, err);

    if (status == MUSTER_OK) {
        cr_expect_str_eq(class_->scheme, scheme);
        cr_expect_not_null(plugin);
    }
    return status;
}

static muster_status find_balancer(const char *name, muster_error *err)
{
    const muster_balancer_class *class_ = NULL;
    muster__plugin *plugin = NULL;
    muster_status status =
        muster__registry_balancer(name, &class_, &plugin, err);

    if (status == MUSTER_OK) {
        cr_expect_str_eq(class_->name, name);
        cr_expect_not_null(plugin);
    }
    return status;
}

Test(registry, finds_what_is_built_in)
{
    muster_error err;

    cr_assert_eq(find_balancer("round_robin", &err), MUSTER_OK);
    cr_assert_eq(find_balancer("weighted_round_robin", &err), MUSTER_OK);
}

Test(registry, loads_a_plugin_when_its_scheme_is_named)
{
    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_expect(!good_ran());
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
    cr_expect(good_ran());
}

Test(registry, gives_a_policy_to_programs)
{
    const muster_balancer_class *class_ = NULL;
    muster_error err;

    plugin_copy("muster_reentrant.so", folder, "muster_reentrant.so");
    cr_assert_eq(muster_plugin_find_balancer("reentrant_first", &class_, &err),
                 MUSTER_OK, "%s", err.message);
    cr_expect_str_eq(class_->name, "reentrant_first");
    cr_expect_eq(muster_plugin_find_balancer("nobody", &class_, &err),
                 MUSTER_NOTFOUND);
    cr_expect_not_null(strstr(err.message, "round_robin"), "%s", err.message);
    cr_expect_str_eq(class_->name, "reentrant_first");
    cr_expect_eq(muster_plugin_find_balancer(NULL, &class_, NULL),
                 MUSTER_INVAL);
}

Test(registry, loads_a_plugin_when_its_policy_is_named)
{
    plugin_copy("muster_reentrant.so", folder, "muster_reentrant.so");
    cr_assert_eq(find_balancer("reentrant_first", NULL), MUSTER_OK);
}

Test(registry, notices_a_file_that_came_later)
{
    cr_assert_eq(find_resolver("good", NULL), MUSTER_NOTFOUND);
    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
}

Test(registry, lists_what_there_is_when_a_scheme_is_unknown)
{
    muster_error err;

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(find_resolver("nowhere", &err), MUSTER_NOTFOUND);
    cr_expect_not_null(strstr(err.message, "\"nowhere\""));
    cr_expect_not_null(strstr(err.message, "good"), "%s", err.message);
    cr_expect(!good_ran());
}

Test(registry, lists_what_there_is_when_a_policy_is_unknown)
{
    muster_error err;

    cr_assert_eq(find_balancer("nowhere", &err), MUSTER_NOTFOUND);
    cr_expect_not_null(
        strstr(err.message, "weighted_random, weighted_round_robin"), "%s",
        err.message);
    cr_expect_null(strstr(err.message, "_experimental"), "%s", err.message);
}

Test(registry, knows_no_malformed_names)
{
    char endless[300];

    memset(endless, 'a', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    cr_expect_eq(find_resolver("../good", NULL), MUSTER_NOTFOUND);
    cr_expect_eq(find_resolver("", NULL), MUSTER_NOTFOUND);
    cr_expect_eq(find_resolver(endless, NULL), MUSTER_NOTFOUND);
    cr_expect_eq(find_balancer(endless, NULL), MUSTER_NOTFOUND);
    cr_expect_eq(muster__registry_find_scheme("../good"), MUSTER_NOTFOUND);
}

Test(registry, says_why_the_file_of_a_scheme_was_refused)
{
    muster_error err;
    file_image image = image_read("muster_good.so");

    image_note(&image)->abi_minor++;
    image_write(&image, path_in(folder, "muster_good.so"));
    cr_assert_eq(find_resolver("good", &err), MUSTER_ABI);
    cr_expect_not_null(strstr(err.message, "built for plugin ABI"), "%s",
                       err.message);
}

Test(registry, has_a_scheme_without_loading_it)
{
    cr_expect_eq(muster__registry_find_scheme("good"), MUSTER_NOTFOUND);
    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_expect_eq(muster__registry_find_scheme("good"), MUSTER_OK);
    cr_expect(!good_ran());
}

Test(registry, a_truncated_list_of_schemes_is_terminated)
{
    char buffer[8] = "xxxxxxx";

    plugin_copy("muster_good.so", folder, "muster_good.so");
    muster__registry_list_schemes(buffer, 3);
    cr_expect_eq(strlen(buffer), 2);
    muster__registry_list_schemes(NULL, 0);
}

/* ---- the search path ---- */

Test(registry, searches_added_folders_first)
{
    const char *first = folder_make_inner("first");
    file_image image = image_read("muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    /* The one in the added folder is broken after its note. */
    image_replace(&image, "muster_plugin_entry", "muster_plugin_entrz");
    image_write(&image, path_in(first, "muster_good.so"));
    cr_assert_eq(muster_plugin_path_add(first), MUSTER_OK);
    cr_assert_eq(find_resolver("good", NULL), MUSTER_ABI);
}

Test(registry, takes_the_next_file_when_the_first_is_refused)
{
    const char *first = folder_make_inner("first");
    file_image image = image_read("muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    image_note(&image)->abi_major++;
    image_write(&image, path_in(first, "muster_good.so"));
    cr_assert_eq(muster_plugin_path_add(first), MUSTER_OK);
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
}

Test(registry, refuses_malformed_folders)
{
    cr_expect_eq(muster_plugin_path_add(NULL), MUSTER_INVAL);
    cr_expect_eq(muster_plugin_path_add(""), MUSTER_INVAL);
    cr_expect_eq(muster_plugin_path_add("/a:/b"), MUSTER_INVAL);
}

Test(registry, passes_over_folders_that_are_not_there)
{
    cr_assert_eq(muster_plugin_path_add("/nowhere/at/all"), MUSTER_OK);
    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
}

/* ---- duplicates ---- */

static void expect_load_refused(const char *path, const char *text)
{
    muster_error err = {.code = MUSTER_OK, .message = ""};

    cr_expect_eq(muster_plugin_load(path, &err), MUSTER_ABI, "%s", err.message);
    cr_expect_not_null(strstr(err.message, text), "no \"%s\" in: %s", text,
                       err.message);
}

/* A plugin that would be as good as muster_good.so, had it a name of its own:
 * text is that of its note. */
static void write_variant(const char *path, const char *text, size_t size)
{
    file_image image = image_read("muster_good.so");
    muster_plugin_note *note = image_note(&image);

    memset(note->text, 0, sizeof note->text);
    memcpy(note->text, text, size);
    image_write(&image, path);
}

Test(registry, refuses_a_second_plugin_of_that_name_without_running_it)
{
    const char *second = folder_make_inner("second");
    const char *path = path_in(second, "muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
    (void)unsetenv("MUSTER_TEST_GOOD_RAN");
    plugin_copy("muster_good.so", second, "muster_good.so");
    expect_load_refused(path, "\"good\" is taken by");
    cr_expect(!good_ran());
}

Test(registry, refuses_a_second_plugin_of_that_scheme_without_running_it)
{
    const char *path = path_in(folder, "muster_other.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
    (void)unsetenv("MUSTER_TEST_GOOD_RAN");
    write_variant(path, "other\0resolver:good", 20);
    expect_load_refused(path, "\"resolver:good\" is taken by");
    cr_expect(!good_ran());
}

Test(registry, refuses_a_plugin_with_a_built_in_policy_without_running_it)
{
    const char *path = path_in(folder, "muster_other.so");

    write_variant(path, "other\0balancer:round_robin", 27);
    expect_load_refused(path,
                        "\"balancer:round_robin\" is taken by a plugin linked "
                        "in");
    cr_expect(!good_ran());
}

/* ---- the list ---- */

typedef struct listed {
    const char *name; /* which plugin is looked for, by part of its path */
    size_t n;
    char classes[128];
    char refusal[512];
} listed;

static void find_in_list(void *arg, const muster_plugin_info *info)
{
    listed *found = arg;

    cr_expect_eq(info->struct_size, sizeof *info);
    if (strstr(info->path[0] == '\0' ? info->name : info->path, found->name) ==
        NULL) {
        return;
    }
    found->n++;
    (void)snprintf(found->classes, sizeof found->classes, "%s", info->classes);
    (void)snprintf(found->refusal, sizeof found->refusal, "%s",
                   info->refusal == NULL ? "" : info->refusal);
}

Test(registry, lists_a_file_without_running_it)
{
    listed found = {.name = "muster_good.so"};

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(muster_plugin_list(find_in_list, &found), MUSTER_OK);
    cr_expect_eq(found.n, 1);
    cr_expect_str_eq(found.classes, "resolver:good");
    cr_expect_str_eq(found.refusal, "");
    cr_expect(!good_ran());
}

Test(registry, lists_a_loaded_file_once)
{
    listed found = {.name = "muster_good.so"};

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(find_resolver("good", NULL), MUSTER_OK);
    cr_assert_eq(muster_plugin_path_add(folder), MUSTER_OK);
    cr_assert_eq(muster_plugin_list(find_in_list, &found), MUSTER_OK);
    cr_expect_eq(found.n, 1);
}

Test(registry, lists_what_is_built_in)
{
    listed found = {.name = "weighted_round_robin"};

    cr_assert_eq(muster_plugin_list(find_in_list, &found), MUSTER_OK);
    cr_expect_eq(found.n, 1);
    cr_expect_str_eq(found.classes, "balancer:weighted_round_robin");
}

Test(registry, lists_a_refused_file_with_the_reason)
{
    listed found = {.name = "muster_BAD.so"};

    plugin_copy("muster_good.so", folder, "muster_BAD.so");
    cr_assert_eq(muster_plugin_list(find_in_list, &found), MUSTER_OK);
    cr_expect_eq(found.n, 1);
    cr_expect_not_null(strstr(found.refusal, "wrong file name"));
}

Test(registry, lists_a_duplicate_as_refused)
{
    listed found = {.name = "muster_other.so"};

    plugin_copy("muster_good.so", folder, "muster_good.so");
    write_variant(path_in(folder, "muster_other.so"), "other\0resolver:good",
                  20);
    cr_assert_eq(muster_plugin_list(find_in_list, &found), MUSTER_OK);
    cr_expect_eq(found.n, 1);
    cr_expect_not_null(strstr(found.refusal, "\"resolver:good\" is taken by"),
                       "%s", found.refusal);
}

Test(registry, lists_nothing_for_nobody)
{
    cr_assert_eq(muster_plugin_list(NULL, NULL), MUSTER_INVAL);
}

/* ---- threads and forks ---- */

static void *find_good(void *arg)
{
    muster_status *status = arg;

    *status = find_resolver("good", NULL);
    return NULL;
}

Test(registry, loads_once_for_many_threads)
{
    enum { N_THREADS = 8 };
    pthread_t threads[N_THREADS];
    muster_status statuses[N_THREADS];
    listed found = {.name = "muster_good.so"};

    plugin_copy("muster_good.so", folder, "muster_good.so");
    for (size_t i = 0; i < N_THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, find_good, &statuses[i]),
                     0);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_expect_eq(statuses[i], MUSTER_OK);
    }
    cr_assert_eq(muster_plugin_list(find_in_list, &found), MUSTER_OK);
    cr_expect_eq(found.n, 1);
}

/* 0 when every function says that it works in the parent only. */
static int run_in_child(void)
{
    listed found = {.name = ""};

    if (find_resolver("good", NULL) != MUSTER_FORKED ||
        find_balancer("round_robin", NULL) != MUSTER_FORKED ||
        muster_plugin_load("muster_good.so", NULL) != MUSTER_FORKED ||
        muster_plugin_register(NULL, NULL) != MUSTER_FORKED ||
        muster_plugin_path_add("/") != MUSTER_FORKED ||
        muster_plugin_list(find_in_list, &found) != MUSTER_FORKED) {
        return 1;
    }
    return 0;
}

Test(registry, works_in_the_parent_only)
{
    int state = -1;
    pid_t child;

    cr_assert_eq(muster__loop_acquire(NULL), MUSTER_OK);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        _exit(run_in_child());
    }
    cr_assert_eq(waitpid(child, &state, 0), child);
    cr_expect(WIFEXITED(state) && WEXITSTATUS(state) == 0);
    muster__loop_release();
    cr_assert_eq(muster__loop_stop(NULL), MUSTER_OK);
}

/* ---- the control thread ---- */

static void load_there(void *arg)
{
    muster_status *statuses = arg;

    statuses[0] = muster_plugin_load("muster_good.so", NULL);
    statuses[1] = muster_plugin_list(find_in_list, NULL);
}

Test(registry, does_not_read_files_on_the_control_thread)
{
    muster_status statuses[2] = {MUSTER_OK, MUSTER_OK};

    cr_assert_eq(muster__loop_acquire(NULL), MUSTER_OK);
    cr_assert_eq(muster__loop_call(load_there, statuses, MUSTER_FOREVER),
                 MUSTER_OK);
    cr_expect_eq(statuses[0], MUSTER_WOULD_DEADLOCK);
    cr_expect_eq(statuses[1], MUSTER_WOULD_DEADLOCK);
    muster__loop_release();
    cr_assert_eq(muster__loop_stop(NULL), MUSTER_OK);
}
