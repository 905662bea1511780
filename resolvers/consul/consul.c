/* SPDX-License-Identifier: Apache-2.0 */
/* The consul resolver: a service's healthy instances, told by an agent as soon
 * as they change. */
#include <muster/plugin.h>

#include <stdlib.h>
#include <string.h>

#include <openssl_exit.h>
#include <text.h>

#include "instance.h"

#define VERSION "0.1.0"
#define DEFAULT_ADDRESS "127.0.0.1:8500"

/* Of the query: what servers take of a URL, and more than anybody writes. */
enum { SERVICE_MAX = 255, QUERY_MAX = 7000 };

/* ---- the target ---- */

/* As part of a URL's path "." and ".." would be taken out of it. */
static bool is_service(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= SERVICE_MAX && strchr(name, '/') == NULL &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static muster_status check_service(const char *name, const char *accepted,
                                   muster_error *err)
{
    if (!is_service(name)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "service %s is not a name of 1 to %d bytes "
                                "without a slash, nor \".\" or \"..\", as in "
                                "%s",
                                muster__quote(name).text, SERVICE_MAX,
                                accepted);
    }
    return MUSTER_OK;
}

/* The target's agent, else that of the environment, else the usual one. */
static muster_status read_place(const muster__consul_instance *self,
                                muster__consul_place *ret_place,
                                muster_error *err)
{
    const char *authority = self->env->authority;
    const char *variable = self->environment.values[MUSTER__CONSUL_HTTP_ADDR];

    if (*authority != '\0') {
        return muster__consul_place_authority(authority, self->options.is_tls,
                                              ret_place, err);
    }
    return muster__consul_place_parse(variable != NULL ? variable
                                                       : DEFAULT_ADDRESS,
                                      self->options.is_tls, ret_place, err);
}

static muster_status tcp_target(muster__consul_instance *self,
                                muster__consul_place *ret_place,
                                muster_error *err)
{
    self->service = self->env->path;
    if (check_service(self->service, "consul:///web", err) != MUSTER_OK) {
        return MUSTER_INVAL;
    }
    return read_place(self, ret_place, err);
}

/* The service is what follows the last slash: a service's name has none. */
static const char *socket_service(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : "";
}

static muster_status socket_target(muster__consul_instance *self,
                                   muster__consul_place *ret_place,
                                   muster_error *err)
{
    const char *path = self->env->path;

    self->service = socket_service(path);
    if (check_service(self->service, "consul+unix:///run/consul.sock/web",
                      err) != MUSTER_OK) {
        return MUSTER_INVAL;
    }
    if (*self->env->authority != '\0') {
        return muster_error_set(err, MUSTER_INVAL,
                                "authority %s: a socket has none; write "
                                "consul+unix:///run/consul.sock/web",
                                muster__quote(self->env->authority).text);
    }
    return muster__consul_place_socket(path, (size_t)(self->service - path - 1),
                                       ret_place, err);
}

/* ---- the classes ---- */

static void consul_free(void *data)
{
    muster__consul_instance *self = data;

    if (self->agent != NULL) {
        muster__consul_watch_end(self);
        muster__consul_agent_leave(self->agent);
    }
    muster__consul_store_fini(self);
    muster__consul_token_fini(&self->token);
    muster__consul_environment_free(&self->environment);
    free(self->asked);
    free(self->query);
    free(self);
}

typedef muster_status (*read_target_fn)(muster__consul_instance *self,
                                        muster__consul_place *ret_place,
                                        muster_error *err);

static muster_status set_up(muster__consul_instance *self,
                            read_target_fn read_target, muster_error *err)
{
    muster__consul_environment *environment = &self->environment;
    muster__consul_place place;
    muster_status status = muster__consul_environment_read(environment, err);

    if (status == MUSTER_OK) {
        status = muster__consul_options_read(self->env, environment->is_tls,
                                             &self->options, err);
    }
    if (status == MUSTER_OK) {
        status = read_target(self, &place, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    self->token.given = environment->values[MUSTER__CONSUL_HTTP_TOKEN];
    self->token.file =
        self->options.token_file != NULL
            ? self->options.token_file
            : environment->values[MUSTER__CONSUL_HTTP_TOKEN_FILE];
    self->query = muster__consul_query_base(self);
    if (self->query != NULL && strlen(self->query) > QUERY_MAX) {
        return muster_error_set(err, MUSTER_INVAL,
                                "options tag, filter and the like: the query "
                                "is over %d bytes long",
                                QUERY_MAX);
    }
    if (self->query == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = muster__consul_agent_join(self->scope, &place, environment,
                                       self->options.max_connections,
                                       &self->agent, err);
    if (status == MUSTER_OK && muster__consul_store_init(self) != MUSTER_OK) {
        status = muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return status;
}

static muster_status create_by(read_target_fn read_target,
                               const muster_resolver_env *env, void **ret_self,
                               muster_error *err)
{
    muster__consul_instance *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    self->env = env;
    self->scope = env->shared;
    self->seed = env->host->random(env->ctx);
    status = set_up(self, read_target, err);
    if (status != MUSTER_OK) {
        consul_free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static muster_status consul_create(const muster_resolver_env *env,
                                   void **ret_self, muster_error *err)
{
    return create_by(tcp_target, env, ret_self, err);
}

static muster_status socket_create(const muster_resolver_env *env,
                                   void **ret_self, muster_error *err)
{
    return create_by(socket_target, env, ret_self, err);
}

static void consul_start(void *data)
{
    muster__consul_instance *self = data;

    if (self->store.path != NULL) {
        muster__consul_store_load(self);
    }
    muster__consul_watch_go(self);
}

/* A query that blocks needs no hint, and the backoff is the agent's due. */
static void consul_refresh(void *data)
{
    muster__consul_watch_go(data);
}

static void consul_applied(void *data, uint64_t sequence, muster_status status)
{
    muster__consul_watch_applied(data, sequence, status);
}

static void consul_stop(void *data)
{
    muster__consul_instance *self = data;

    muster__consul_watch_end(self);
    muster__consul_store_fini(self);
    self->env->host->stopped(self->env->ctx);
}

static muster_status write_authority(const char *service, char *buffer,
                                     size_t size)
{
    if (!is_service(service) || strlen(service) >= size) {
        return MUSTER_INVAL;
    }
    memcpy(buffer, service, strlen(service) + 1);
    return MUSTER_OK;
}

static muster_status consul_authority(const char *path, char *buffer,
                                      size_t size)
{
    return write_authority(path, buffer, size);
}

static muster_status socket_authority(const char *path, char *buffer,
                                      size_t size)
{
    return write_authority(socket_service(path), buffer, size);
}

static const muster_resolver_class consul_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "consul",
    .options = muster__consul_option_infos,
    .n_options = MUSTER__CONSUL_N_OPTIONS,
    .empty = "hold:30s",
    .create = consul_create,
    .start = consul_start,
    .refresh = consul_refresh,
    .applied = consul_applied,
    .stop = consul_stop,
    .free = consul_free,
    .authority = consul_authority,
};

static const muster_resolver_class socket_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .flags = MUSTER_RESOLVER_ABSOLUTE_PATH,
    .scheme = "consul+unix",
    .options = muster__consul_option_infos,
    .n_options = MUSTER__CONSUL_N_OPTIONS,
    .empty = "hold:30s",
    .create = socket_create,
    .start = consul_start,
    .refresh = consul_refresh,
    .applied = consul_applied,
    .stop = consul_stop,
    .free = consul_free,
    .authority = socket_authority,
};

/* ---- the plugin ---- */

static muster_status consul_init(const muster_plugin_host *host, void *ctx,
                                 void **ret_shared, muster_error *err)
{
    muster__consul_scope *scope;
    CURLcode code;

    muster__openssl_survives_exit();
    code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
        return muster_error_set(err, MUSTER_UNAVAILABLE, "libcurl: %s",
                                curl_easy_strerror(code));
    }
    scope = calloc(1, sizeof *scope);
    if (scope == NULL) {
        curl_global_cleanup();
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    scope->host = host;
    scope->ctx = ctx;
    *ret_shared = scope;
    return MUSTER_OK;
}

static void consul_fini(void *shared)
{
    muster__consul_scope *scope = shared;

    muster__consul_agents_destroy(scope);
    curl_global_cleanup();
    free(scope);
}

static const muster_resolver_class *const classes[] = {&consul_class,
                                                       &socket_class};

MUSTER_PLUGIN(consul, "consul\0resolver:consul\0resolver:consul+unix\0",
              .version = VERSION, .resolvers = classes, .n_resolvers = 2,
              .init = consul_init, .fini = consul_fini);
