/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what a plugin says of itself may be used. */
#include "plugin_check.h"

#include <stddef.h>
#include <string.h>

/* Bytes up to the end of a field: how large a struct must at least be. */
#define SIZE_WITH(type, field)                                                 \
    (offsetof(type, field) + sizeof(((type *)NULL)->field))

/* The sizes of ABI 1.0: what later ABIs append may be missing. */
#define HEAD_SIZE SIZE_WITH(muster_plugin, version)
#define PLUGIN_SIZE SIZE_WITH(muster_plugin, fini)
#define RESOLVER_SIZE SIZE_WITH(muster_resolver_class, authority)
#define BALANCER_SIZE SIZE_WITH(muster_balancer_class, destroy)

/* More classes than this do not fit into a note. */
#define MAX_CLASSES 64

#define MAX_STATE_SIZE 65536

#define RESOLVER_FLAGS                                                         \
    ((uint32_t)MUSTER_RESOLVER_MAY_BLOCK | MUSTER_RESOLVER_ABSOLUTE_PATH)
#define BALANCER_FLAGS                                                         \
    ((uint32_t)MUSTER_BALANCER_PRIORITY_AWARE | MUSTER_BALANCER_USES_WEIGHTS | \
     MUSTER_BALANCER_PICKS_WHEN_EMPTY | MUSTER_BALANCER_IGNORES_HEALTH)

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool is_word(const char *word, size_t max_length, const char *first,
                    const char *rest)
{
    size_t length;

    if (word == NULL || *word == '\0' || strchr(first, *word) == NULL) {
        return false;
    }
    length = strnlen(word, max_length + 1);
    return length <= max_length && strspn(word, rest) == length;
}

bool muster__plugin_name_is_valid(const char *name)
{
    return is_word(name, 32, LETTERS DIGITS "_-", LETTERS DIGITS "_-");
}

bool muster__scheme_is_valid(const char *scheme)
{
    return is_word(scheme, 32, LETTERS, LETTERS DIGITS "+.-");
}

bool muster__policy_is_valid(const char *policy)
{
    return is_word(policy, 64, LETTERS, LETTERS DIGITS "_");
}

muster_status muster__plugin_refuse(muster_error *err, muster_status code,
                                    const char *origin, const char *format, ...)
{
    const size_t max_origin = 240;
    size_t length = strlen(origin);
    char sentence[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (length > max_origin) {
        return muster_error_set(err, code, "...%s: %s",
                                origin + length - max_origin, sentence);
    }
    return muster_error_set(err, code, "%s: %s", origin, sentence);
}

muster_status muster__plugin_check_abi(unsigned major, unsigned minor,
                                       const char *origin, muster_error *err)
{
    if (major == MUSTER_ABI_MAJOR && minor <= MUSTER_ABI_MINOR) {
        return MUSTER_OK;
    }
    return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                 "built for plugin ABI %u.%u; this library "
                                 "takes the same major number up to %d.%d",
                                 major, minor, MUSTER_ABI_MAJOR,
                                 MUSTER_ABI_MINOR);
}

static muster_status check_size(const char *what, uint32_t size, size_t least,
                                const char *origin, muster_error *err)
{
    if (size >= least) {
        return MUSTER_OK;
    }
    return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                 "struct_size of %s is %u; ABI %d.%d needs at "
                                 "least %zu",
                                 what, size, MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR,
                                 least);
}

/* A slot that every class must fill. */
static muster_status check_slot(bool is_there, const char *class_name,
                                const char *slot, const char *origin,
                                muster_error *err)
{
    if (is_there) {
        return MUSTER_OK;
    }
    return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                 "%s has no %s(), which every such class must "
                                 "have",
                                 class_name, slot);
}

/* What has no meaning yet is refused, so that a later ABI can give it one. */
static muster_status check_flags(uint32_t flags, uint32_t known,
                                 const char *class_name, const char *origin,
                                 muster_error *err)
{
    if ((flags & ~known) == 0) {
        return MUSTER_OK;
    }
    return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                 "%s has flags that ABI %d.%d does not know "
                                 "(0x%x)",
                                 class_name, MUSTER_ABI_MAJOR, MUSTER_ABI_MINOR,
                                 flags & ~known);
}

static bool is_option_name(const char *name)
{
    return is_word(name, 64, LETTERS, LETTERS DIGITS "_-");
}

static muster_status check_options(const muster_resolver_class *class_,
                                   const char *origin, muster_error *err)
{
    if (class_->n_options > 0 && class_->options == NULL) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "resolver:%s has %u options and no list of them", class_->scheme,
            class_->n_options);
    }
    for (uint32_t i = 0; i < class_->n_options; i++) {
        if (!is_option_name(class_->options[i].name)) {
            return muster__plugin_refuse(
                err, MUSTER_ABI, origin,
                "option %u of resolver:%s has no valid name "
                "([a-z][a-z0-9_-]{0,63})",
                i, class_->scheme);
        }
    }
    return MUSTER_OK;
}

static muster_status check_resolver(const muster_resolver_class *class_,
                                    const char *origin, muster_error *err)
{
    const struct {
        bool is_there;
        const char *name;
    } slots[] = {{class_->create != NULL, "create"},
                 {class_->start != NULL, "start"},
                 {class_->free != NULL, "free"}};
    char name[64];
    muster_status status;

    if (!muster__scheme_is_valid(class_->scheme)) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "a resolver has no valid scheme (%s)",
                                     MUSTER__SCHEME_SYNTAX);
    }
    (void)snprintf(name, sizeof name, "resolver:%s", class_->scheme);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        status =
            check_slot(slots[i].is_there, name, slots[i].name, origin, err);
        if (status != MUSTER_OK) {
            return status;
        }
    }
    status = check_flags(class_->flags, RESOLVER_FLAGS, name, origin, err);
    return status != MUSTER_OK ? status : check_options(class_, origin, err);
}

static muster_status check_balancer(const muster_balancer_class *class_,
                                    const char *origin, muster_error *err)
{
    const struct {
        bool is_there;
        const char *name;
    } slots[] = {
        {class_->create != NULL, "create"},
        {class_->pick != NULL, "pick"},
        {class_->destroy != NULL, "destroy"},
        {class_->build == NULL || class_->table_destroy != NULL,
         "table_destroy"},
    };
    char name[96];

    if (!muster__policy_is_valid(class_->name)) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "a balancer has no valid name (%s)",
                                     MUSTER__POLICY_SYNTAX);
    }
    (void)snprintf(name, sizeof name, "balancer:%s", class_->name);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        muster_status status =
            check_slot(slots[i].is_there, name, slots[i].name, origin, err);

        if (status != MUSTER_OK) {
            return status;
        }
    }
    if (class_->state_size > MAX_STATE_SIZE) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "%s wants a state_size of %u; at most %d",
                                     name, class_->state_size, MAX_STATE_SIZE);
    }
    if (class_->reserved != 0) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "reserved of %s is %u, not 0", name,
                                     class_->reserved);
    }
    return check_flags(class_->flags, BALANCER_FLAGS, name, origin, err);
}

static muster_status check_head(const muster_plugin *plugin, const char *origin,
                                muster_error *err)
{
    muster_status status;

    if (plugin == NULL) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     MUSTER_PLUGIN_SYMBOL
                                     "() returned no descriptor");
    }
    status = check_size("muster_plugin", plugin->struct_size, HEAD_SIZE, origin,
                        err);
    if (status == MUSTER_OK) {
        status = muster__plugin_check_abi(plugin->abi_major, plugin->abi_minor,
                                          origin, err);
    }
    if (status == MUSTER_OK) {
        status = check_size("muster_plugin", plugin->struct_size, PLUGIN_SIZE,
                            origin, err);
    }
    if (status == MUSTER_OK && !muster__plugin_name_is_valid(plugin->name)) {
        status = muster__plugin_refuse(err, MUSTER_ABI, origin,
                                       "the plugin has no valid name (%s)",
                                       MUSTER__PLUGIN_NAME_SYNTAX);
    }
    return status;
}

static muster_status check_counts(const muster_plugin *plugin,
                                  const char *origin, muster_error *err)
{
    uint64_t n_classes = (uint64_t)plugin->n_resolvers + plugin->n_balancers;

    if (n_classes == 0 || n_classes > MAX_CLASSES) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "the plugin has %llu classes; a plugin has 1 to %d",
            (unsigned long long)n_classes, MAX_CLASSES);
    }
    if ((plugin->n_resolvers > 0 && plugin->resolvers == NULL) ||
        (plugin->n_balancers > 0 && plugin->balancers == NULL)) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "the plugin counts classes and has no "
                                     "list of them");
    }
    return MUSTER_OK;
}

static muster_status check_class_pointer(const void *class_, const char *origin,
                                         muster_error *err)
{
    if (class_ != NULL) {
        return MUSTER_OK;
    }
    return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                 "a class in the plugin's list is NULL");
}

muster_status muster__plugin_check(const muster_plugin *plugin,
                                   const char *origin, muster_error *err)
{
    muster_status status = check_head(plugin, origin, err);

    if (status == MUSTER_OK) {
        status = check_counts(plugin, origin, err);
    }
    for (uint32_t i = 0; status == MUSTER_OK && i < plugin->n_resolvers; i++) {
        const muster_resolver_class *class_ = plugin->resolvers[i];

        status = check_class_pointer(class_, origin, err);
        if (status == MUSTER_OK) {
            status = check_size("a muster_resolver_class", class_->struct_size,
                                RESOLVER_SIZE, origin, err);
        }
        if (status == MUSTER_OK) {
            status = check_resolver(class_, origin, err);
        }
    }
    for (uint32_t i = 0; status == MUSTER_OK && i < plugin->n_balancers; i++) {
        const muster_balancer_class *class_ = plugin->balancers[i];

        status = check_class_pointer(class_, origin, err);
        if (status == MUSTER_OK) {
            status = check_size("a muster_balancer_class", class_->struct_size,
                                BALANCER_SIZE, origin, err);
        }
        if (status == MUSTER_OK) {
            status = check_balancer(class_, origin, err);
        }
    }
    return status;
}
