/* SPDX-License-Identifier: Apache-2.0 */
/* Calls every public function in a fork child. */
#include "child.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct child_case {
    const char *name;
    bool (*is_sound)(child_world *world);
} child_case;

static void on_pick(void *arg, muster_status status, muster_lease *lease,
                    const muster_error *err)
{
    (void)arg;
    (void)status;
    (void)lease;
    (void)err;
    abort(); /* nothing is called in a child */
}

static void on_watch(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
    abort();
}

static void on_state(void *arg, const muster_state_event *event)
{
    (void)arg;
    (void)event;
    abort();
}

static void on_shutdown(void *arg, int number,
                        const muster_shutdown_numbers *numbers)
{
    (void)arg;
    (void)number;
    (void)numbers;
    abort();
}

static void on_plugin(void *arg, const muster_plugin_info *info)
{
    (void)arg;
    (void)info;
    abort();
}

static const muster_plugin *no_plugin(void)
{
    abort();
}

/* ---- libmuster ---- */

static bool channel_close(child_world *world)
{
    return muster_channel_close(world->channel) == MUSTER_FORKED;
}

static bool channel_connect(child_world *world)
{
    muster_channel_connect(world->channel);
    return true;
}

static bool channel_create(child_world *world)
{
    muster_channel *channel = NULL;

    (void)world;
    return muster_channel_create("static:///127.0.0.1:1", NULL, &channel,
                                 NULL) == MUSTER_FORKED &&
           channel == NULL;
}

static bool channel_destroy(child_world *world)
{
    muster_channel_destroy(world->channel);
    return true;
}

static bool channel_get_method_config(child_world *world)
{
    muster_method_config config = {.struct_size = sizeof config};

    return muster_channel_get_method_config(world->channel, "/echo.Echo/Unary",
                                            &config) == 0;
}

static bool service_config_check(child_world *world)
{
    (void)world;
    return muster_service_config_check("{}", 2, NULL, NULL, NULL) ==
           MUSTER_FORKED;
}

static bool service_config_get_settings(child_world *world)
{
    muster_settings settings = {.struct_size = sizeof settings};

    (void)world;
    return muster_service_config_get_settings("{}", 2, &settings, NULL) ==
           MUSTER_FORKED;
}

static bool transport_log(child_world *world)
{
    (void)world;
    muster_transport_log(MUSTER_LOG_DEBUG, "by a transport in a fork child");
    return true;
}

static bool channel_reset_backoff(child_world *world)
{
    muster_channel_reset_backoff(world->channel);
    return true;
}

static bool channel_retry_note(child_world *world)
{
    return muster_channel_retry_note(world->channel, MUSTER_RETRY_FAILED) == 0;
}

static bool channel_shutdown(child_world *world)
{
    return muster_channel_shutdown(world->channel, 0, NULL) == MUSTER_FORKED;
}

static bool channel_wait_for_change(child_world *world)
{
    return muster_channel_wait_for_change(world->channel, MUSTER_READY, 0) ==
           MUSTER_FORKED;
}

static bool channel_wait_for_state(child_world *world)
{
    return muster_channel_wait_for_state(world->channel, MUSTER_IDLE, 0) ==
           MUSTER_FORKED;
}

static bool channel_watch_state(child_world *world)
{
    muster_state_watcher *watcher = NULL;

    return muster_channel_watch_state(world->channel, NULL, on_state, NULL,
                                      &watcher) == MUSTER_FORKED &&
           watcher == NULL;
}

static bool channel_dump_json(child_world *world)
{
    char *json = NULL;

    return muster_channel_dump_json(world->channel, &json) == MUSTER_FORKED &&
           json == NULL;
}

static bool channel_get_stats(child_world *world)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    return muster_channel_get_stats(world->channel, &stats) == MUSTER_FORKED;
}

static bool channel_pick(child_world *world)
{
    muster_lease lease = {0};

    return muster_channel_pick(world->channel, NULL, &lease, NULL) ==
               MUSTER_FORKED &&
           lease.slot_ == NULL;
}

static bool channel_pick_after(child_world *world)
{
    return muster_channel_pick_after(world->channel, NULL, 0, on_pick, NULL,
                                     NULL) == MUSTER_FORKED;
}

static bool channel_pick_async(child_world *world)
{
    return muster_channel_pick_async(world->channel, NULL, on_pick, NULL,
                                     NULL) == MUSTER_FORKED;
}

static bool channel_pick_cancel(child_world *world)
{
    return muster_channel_pick_cancel(world->channel, 1) == MUSTER_FORKED;
}

static bool channel_pick_wait(child_world *world)
{
    muster_lease lease = {0};

    return muster_channel_pick_wait(world->channel, NULL, &lease, NULL) ==
           MUSTER_FORKED;
}

static bool channel_refresh(child_world *world)
{
    muster_channel_refresh(world->channel);
    return true;
}

static bool channel_state(child_world *world)
{
    return muster_channel_state(world->channel) <= MUSTER_SHUTDOWN;
}

static bool lease_connection(child_world *world)
{
    (void)muster_lease_connection(&world->lease);
    return true;
}

static bool lease_endpoint(child_world *world)
{
    (void)muster_lease_endpoint(&world->lease);
    return true;
}

static bool lease_finish(child_world *world)
{
    muster_lease copy = world->lease; /* the others still look at it */

    muster_lease_finish(&copy, NULL);
    return true;
}

static bool lease_id(child_world *world)
{
    (void)muster_lease_id(&world->lease);
    return true;
}

static bool log_set(child_world *world)
{
    (void)world;
    muster_log_set(muster_log_to_stderr, NULL, MUSTER_LOG_DEBUG);
    return true;
}

static bool log_to_stderr(child_world *world)
{
    (void)world;
    muster_log_to_stderr(NULL, MUSTER_LOG_DEBUG, "written by a fork child");
    return true;
}

static bool plugin_find_balancer(child_world *world)
{
    const muster_balancer_class *class_ = NULL;

    (void)world;
    return muster_plugin_find_balancer("round_robin", &class_, NULL) ==
           MUSTER_FORKED;
}

static bool plugin_list(child_world *world)
{
    (void)world;
    return muster_plugin_list(on_plugin, NULL) == MUSTER_FORKED;
}

static bool plugin_load(child_world *world)
{
    (void)world;
    return muster_plugin_load("/nowhere/muster_x.so", NULL) == MUSTER_FORKED;
}

static bool plugin_path_add(child_world *world)
{
    (void)world;
    return muster_plugin_path_add("/nowhere") == MUSTER_FORKED;
}

static bool plugin_register(child_world *world)
{
    (void)world;
    return muster_plugin_register(no_plugin, NULL) == MUSTER_FORKED;
}

static bool shutdown_all(child_world *world)
{
    (void)world;
    return muster_shutdown() == MUSTER_FORKED;
}

static bool shutdown_all_channels(child_world *world)
{
    (void)world;
    return muster_shutdown_all(0, NULL) == MUSTER_FORKED;
}

static bool shutdown_off_signals(child_world *world)
{
    (void)world;
    muster_shutdown_off_signals();
    return true;
}

static bool shutdown_on_signals(child_world *world)
{
    (void)world;
    return muster_shutdown_on_signals(0, on_shutdown, NULL, NULL) ==
           MUSTER_FORKED;
}

static bool state_watcher_destroy(child_world *world)
{
    muster_state_watcher_destroy(world->state_watcher);
    return true;
}

static bool status_name(child_world *world)
{
    (void)world;
    return strcmp(muster_status_name(MUSTER_FORKED), "FORKED") == 0;
}

static bool status_text(child_world *world)
{
    (void)world;
    return muster_status_text(MUSTER_FORKED)[0] != '\0';
}

static bool version(child_world *world)
{
    (void)world;
    return strcmp(muster_version(), MUSTER_VERSION_STRING) == 0;
}

static bool watch_create(child_world *world)
{
    muster_watch *watch = NULL;

    (void)world;
    return muster_watch_create("static:///127.0.0.1:1", on_watch, NULL, &watch,
                               NULL) == MUSTER_FORKED &&
           watch == NULL;
}

static bool watch_destroy(child_world *world)
{
    muster_watch_destroy(world->watch);
    return true;
}

static bool watch_refresh(child_world *world)
{
    muster_watch_refresh(world->watch);
    return true;
}

/* ---- libmuster-grpc ---- */

static bool call_cancel(child_world *world)
{
    muster_call_cancel(world->call);
    return true;
}

static bool call_create(child_world *world)
{
    muster_call *call = NULL;

    return muster_call_create(world->channel, "/echo.Echo/Unary", NULL, &call,
                              NULL) == MUSTER_FORKED &&
           call == NULL;
}

static bool call_destroy(child_world *world)
{
    muster_call_destroy(world->call);
    return true;
}

static bool call_get_result(child_world *world)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(world->call, &result);
    return result.status == GRPC_STATUS_UNKNOWN;
}

static bool call_peer(child_world *world)
{
    return muster_call_peer(world->call) == NULL;
}

static bool call_queue_create(child_world *world)
{
    muster_call_queue *queue = NULL;

    (void)world;
    return muster_call_queue_create(&queue, NULL) == MUSTER_FORKED &&
           queue == NULL;
}

static void on_event(void *arg, const muster_call_event *event)
{
    (void)arg;
    (void)event;
    abort();
}

static bool call_queue_create_callback(child_world *world)
{
    muster_call_queue *queue = NULL;

    (void)world;
    return muster_call_queue_create_callback(0, on_event, NULL, &queue, NULL) ==
               MUSTER_FORKED &&
           queue == NULL;
}

static bool call_queue_destroy(child_world *world)
{
    muster_call_queue_destroy(world->queue);
    return true;
}

static bool call_queue_next(child_world *world)
{
    muster_call_event event;

    return muster_call_queue_next(world->queue, MUSTER_FOREVER, &event) ==
           MUSTER_FORKED;
}

static bool call_queue_shutdown(child_world *world)
{
    muster_call_queue_shutdown(world->queue);
    return true;
}

static bool call_open(child_world *world)
{
    return muster_call_open(world->call, NULL) == MUSTER_FORKED;
}

static bool call_read(child_world *world)
{
    grpc_byte_buffer *message = NULL;

    return muster_call_read(world->call, &message) == MUSTER_FORKED &&
           message == NULL;
}

static bool call_receive(child_world *world)
{
    return muster_call_receive(world->call, NULL) == MUSTER_FORKED;
}

static bool call_send(child_world *world)
{
    return muster_call_send(world->call, NULL, MUSTER_SEND_LAST, NULL) ==
           MUSTER_FORKED;
}

static bool call_start_stream(child_world *world)
{
    return muster_call_start_stream(world->call, NULL, world->queue, NULL) ==
           MUSTER_FORKED;
}

static bool call_start_unary(child_world *world)
{
    return muster_call_start_unary(world->call, NULL, world->queue, NULL) ==
           MUSTER_FORKED;
}

static bool call_unary(child_world *world)
{
    return muster_call_unary(world->call, NULL) == MUSTER_FORKED;
}

static bool call_wait(child_world *world)
{
    return muster_call_wait(world->call) == MUSTER_FORKED;
}

static bool call_write(child_world *world)
{
    return muster_call_write(world->call, NULL, MUSTER_SEND_LAST) ==
           MUSTER_FORKED;
}

static bool grpc_create(child_world *world)
{
    muster_channel *channel = NULL;

    (void)world;
    return muster_grpc_channel_create("static:///127.0.0.1:1", NULL, NULL,
                                      &channel, NULL) == MUSTER_FORKED &&
           channel == NULL;
}

static bool lease_grpc_channel(child_world *world)
{
    return muster_lease_grpc_channel(&world->lease) == NULL;
}

/* Those that destroy come last. */
static const child_case cases[] = {
    {"muster_channel_connect", channel_connect},
    {"muster_channel_create", channel_create},
    {"muster_channel_dump_json", channel_dump_json},
    {"muster_channel_get_method_config", channel_get_method_config},
    {"muster_channel_get_stats", channel_get_stats},
    {"muster_channel_pick", channel_pick},
    {"muster_channel_pick_after", channel_pick_after},
    {"muster_channel_pick_async", channel_pick_async},
    {"muster_channel_pick_cancel", channel_pick_cancel},
    {"muster_channel_pick_wait", channel_pick_wait},
    {"muster_channel_refresh", channel_refresh},
    {"muster_channel_reset_backoff", channel_reset_backoff},
    {"muster_channel_retry_note", channel_retry_note},
    {"muster_channel_state", channel_state},
    {"muster_channel_wait_for_change", channel_wait_for_change},
    {"muster_channel_wait_for_state", channel_wait_for_state},
    {"muster_channel_watch_state", channel_watch_state},
    {"muster_lease_connection", lease_connection},
    {"muster_lease_endpoint", lease_endpoint},
    {"muster_lease_grpc_channel", lease_grpc_channel},
    {"muster_lease_id", lease_id},
    {"muster_log_set", log_set},
    {"muster_log_to_stderr", log_to_stderr},
    {"muster_plugin_find_balancer", plugin_find_balancer},
    {"muster_plugin_list", plugin_list},
    {"muster_plugin_load", plugin_load},
    {"muster_plugin_path_add", plugin_path_add},
    {"muster_plugin_register", plugin_register},
    {"muster_service_config_check", service_config_check},
    {"muster_service_config_get_settings", service_config_get_settings},
    {"muster_status_name", status_name},
    {"muster_status_text", status_text},
    {"muster_transport_log", transport_log},
    {"muster_version", version},
    {"muster_watch_create", watch_create},
    {"muster_watch_refresh", watch_refresh},
    {"muster_call_create", call_create},
    {"muster_call_unary", call_unary},
    {"muster_call_start_stream", call_start_stream},
    {"muster_call_start_unary", call_start_unary},
    {"muster_call_send", call_send},
    {"muster_call_receive", call_receive},
    {"muster_call_open", call_open},
    {"muster_call_write", call_write},
    {"muster_call_read", call_read},
    {"muster_call_wait", call_wait},
    {"muster_call_get_result", call_get_result},
    {"muster_call_peer", call_peer},
    {"muster_call_cancel", call_cancel},
    {"muster_call_queue_create", call_queue_create},
    {"muster_call_queue_create_callback", call_queue_create_callback},
    {"muster_call_queue_next", call_queue_next},
    {"muster_grpc_channel_create", grpc_create},
    {"muster_lease_finish", lease_finish},
    {"muster_call_destroy", call_destroy},
    {"muster_call_queue_shutdown", call_queue_shutdown},
    {"muster_call_queue_destroy", call_queue_destroy},
    {"muster_watch_destroy", watch_destroy},
    {"muster_state_watcher_destroy", state_watcher_destroy},
    {"muster_shutdown_on_signals", shutdown_on_signals},
    {"muster_shutdown_off_signals", shutdown_off_signals},
    {"muster_shutdown_all", shutdown_all_channels},
    {"muster_channel_shutdown", channel_shutdown},
    {"muster_channel_close", channel_close},
    {"muster_channel_destroy", channel_destroy},
    {"muster_shutdown", shutdown_all},
};

enum { N_CASES = sizeof cases / sizeof cases[0] };

int child_call_all(child_world *world)
{
    int n_bad = 0;

    for (size_t i = 0; i < N_CASES; i++) {
        if (!cases[i].is_sound(world)) {
            (void)fprintf(stderr, "%s in a fork child\n", cases[i].name);
            n_bad++;
        }
    }
    return n_bad;
}

static bool has_case(const char *name)
{
    for (size_t i = 0; i < N_CASES; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

int child_count_missing(const char *map_path)
{
    FILE *map = fopen(map_path, "re");
    char line[256];
    char name[128];
    int n_missing = 0;

    if (map == NULL) {
        perror(map_path);
        return 1;
    }
    while (fgets(line, sizeof line, map) != NULL) {
        if (sscanf(line, " %127[a-z_];", name) == 1 &&
            strncmp(name, "muster_", strlen("muster_")) == 0 &&
            !has_case(name)) {
            (void)fprintf(stderr, "%s is not called\n", name);
            n_missing++;
        }
    }
    (void)fclose(map);
    return n_missing;
}
