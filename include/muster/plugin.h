/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_PLUGIN_H
#define MUSTER_PLUGIN_H

#include <muster/balancer.h>
#include <muster/resolver.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The plugin ABI. A plugin loads whose major number is the library's, and whose
 * minor number is at most the library's. (0.x: only both the same.)
 *
 * Growth rules. Structs that begin with struct_size, muster_endpoint and
 * muster_backend grow, at their end only and never into padding; arrays of them
 * carry their stride, and endpoint_size says how long a backend's endpoint is.
 * The library is never older than a plugin, so a plugin finds all the fields of
 * the ABI it was built for. Later ones are for it to look for: each side reads
 * and writes only what lies inside the other's struct_size or stride, for a
 * policy's parent, and a program whose muster_call_info or muster_outcome is
 * handed on, may be older than the policy. What is not covered reads as zero,
 * and zero always means what there was before. Who copies a struct sets the
 * copy's struct_size.
 *
 * These never change at all: the head of muster_plugin, muster_plugin_note,
 * muster_attribute, muster_option_info, muster_error, and the parameters of all
 * functions. What is to be said beyond them gets a new field or slot.
 *
 * Numbers of enums, and flags, are only appended. A plugin sets no flag that it
 * does not know, and reserved fields to 0: both are refused. It ignores flags
 * that it does not know, takes a muster_status it does not know for a failure,
 * and hands on a child's verdict it does not know with the result as it is.
 *
 * Changes
 *   0.1  2026-11-23  first
 *   0.2  2026-11-26  muster_resolver_class.authority, muster_backend.position
 *                    and .endpoint_size, muster_update.reserved,
 *                    muster_plugin_host.now_ms, muster_balancer_host.count and
 *                    .include_unfit, MUSTER_OUTCOME_GIVEN_BACK; unknown flags
 *                    are refused
 *   1.0  2026-11-26  frozen; as 0.2
 */
#define MUSTER_ABI_MAJOR 1
#define MUSTER_ABI_MINOR 0

/* What the core does for a plugin as such, once per process: bound to the
 * plugin and valid from init() until fini() returns. All but post(), log() and
 * now_ms() are for the control thread. See muster_resolver_host for what each
 * does. */
typedef struct muster_plugin_host {
    uint32_t struct_size;
    muster_status (*call_later)(void *ctx, uint64_t delay_ms, muster_task_fn fn,
                                void *arg, uint64_t *ret_timer);
    void (*cancel)(void *ctx, uint64_t timer);
    muster_status (*watch)(void *ctx, int fd, unsigned events,
                           muster_watch_fn fn, void *arg);
    muster_status (*post)(void *ctx, muster_task_fn fn, void *arg);
    void (*log)(void *ctx, muster_log_level level, const char *message);

    /* Resolves a host name through whichever plugin serves names (the scheme
     * "dns"; it may be the one that asks). fn gets the addresses (numeric,
     * without brackets and port, borrowed for the call) or an error: once, on
     * the control thread, always later; never when fini comes first. name is
     * copied; a numeric address is its own answer. Answers MUSTER_INVAL,
     * MUSTER_NOMEM, MUSTER_CLOSED or MUSTER_UNAVAILABLE when fn will not be
     * called. What fn is told: MUSTER_UNSUPPORTED when no plugin serves names,
     * MUSTER_NOTFOUND when the name has no address, MUSTER_TIMEOUT after 30 s,
     * MUSTER_INVAL, MUSTER_NOMEM, or what that plugin failed with. */
    muster_status (*resolve)(void *ctx, const char *name,
                             void (*fn)(void *arg, muster_status status,
                                        const char *const *addresses,
                                        size_t n_addresses),
                             void *arg);

    /* Thread: any. Milliseconds on a monotonic clock (virtual in tests). */
    uint64_t (*now_ms)(void *ctx);
} muster_plugin_host;

/* What the exported function returns: constant data. The first five fields are
 * the head, which is the same in every ABI. */
typedef struct muster_plugin {
    uint32_t struct_size;
    uint16_t abi_major;
    uint16_t abi_minor;
    const char *name;    /* of muster_NAME.so: [a-z0-9_-]{1,32} */
    const char *version; /* free text, for people; may be NULL */
    /* end of the head */
    /* 1 to 64 classes in all, whose names fit into the note. */
    const muster_resolver_class *const *resolvers; /* n_resolvers of them */
    const muster_balancer_class *const *balancers; /* n_balancers of them */
    uint32_t n_resolvers;
    uint32_t n_balancers;

    /* May. Thread: control. Called once, before the plugin's first instance is
     * made. *ret_shared reaches every instance. Library-wide initialisation
     * belongs here. On failure fills err; the plugin then cannot be used. */
    muster_status (*init)(const muster_plugin_host *host, void *ctx,
                          void **ret_shared, muster_error *err);

    /* May. Thread: control. All instances are gone. */
    void (*fini)(void *shared);
} muster_plugin;

typedef const muster_plugin *(*muster_plugin_entry_fn)(void);

#define MUSTER_PLUGIN_SYMBOL "muster_plugin_entry"
#define MUSTER_NOTE_NAME "muster"
#define MUSTER_NOTE_TYPE 1

/* The note that the loader reads from the file, before a line of the plugin
 * runs: section .note.muster, name "muster", type 1, this descriptor. text is
 * zero-terminated strings one after another: the plugin's name, then
 * "resolver:SCHEME" or "balancer:NAME" for each class, then an empty one. */
#define MUSTER_NOTE_TEXT_SIZE 504
typedef struct muster_plugin_note {
    uint32_t namesz;
    uint32_t descsz;
    uint32_t type;
    char name[8]; /* "muster", padded to 4 */
    uint16_t abi_major;
    uint16_t abi_minor;
    uint32_t reserved;
    char text[MUSTER_NOTE_TEXT_SIZE];
} muster_plugin_note;

/* MUSTER_PLUGIN(id, "id\0resolver:scheme\0", .resolvers = ..., ...) ends a
 * plugin's source file. id is the plugin's name as a C identifier (a "-" in the
 * name is "_" in it). The text names the plugin and its classes, for the note.
 * The other arguments are the fields of muster_plugin from version on, in their
 * order. Built as a shared object it defines the one exported symbol; compiled
 * in (MUSTER_BUILTIN) it defines muster_builtin_<id>() instead. C11, and C++20
 * (for its designated initialisers). */
#ifdef __cplusplus
#define MUSTER_PLUGIN_C_ extern "C"
#define MUSTER_PLUGIN_ASSERT_ static_assert
#else
#define MUSTER_PLUGIN_C_
#define MUSTER_PLUGIN_ASSERT_ _Static_assert
#endif
#if defined(MUSTER_BUILTIN)
#define MUSTER_PLUGIN_ENTRY_(id)                                               \
    MUSTER_PLUGIN_C_ const muster_plugin *muster_builtin_##id(void)
#define MUSTER_PLUGIN_NOTE_(id, note_text)
#else
#define MUSTER_PLUGIN_ENTRY_(id)                                               \
    MUSTER_PLUGIN_C_ MUSTER_API const muster_plugin *muster_plugin_entry(void)
#define MUSTER_PLUGIN_NOTE_(id, note_text)                                     \
    __attribute__((used, aligned(4),                                           \
                   section(".note.muster"))) static const muster_plugin_note   \
        muster_note_##id = {7,                                                 \
                            sizeof(muster_plugin_note) - 20,                   \
                            MUSTER_NOTE_TYPE,                                  \
                            MUSTER_NOTE_NAME,                                  \
                            MUSTER_ABI_MAJOR,                                  \
                            MUSTER_ABI_MINOR,                                  \
                            0,                                                 \
                            note_text};
#endif
#define MUSTER_PLUGIN(id, note_text, ...)                                      \
    MUSTER_PLUGIN_NOTE_(id, note_text)                                         \
    MUSTER_PLUGIN_ENTRY_(id);                                                  \
    MUSTER_PLUGIN_ENTRY_(id)                                                   \
    {                                                                          \
        static const muster_plugin plugin = {                                  \
            .struct_size = (uint32_t)sizeof(muster_plugin),                    \
            .abi_major = MUSTER_ABI_MAJOR,                                     \
            .abi_minor = MUSTER_ABI_MINOR,                                     \
            .name = note_text,                                                 \
            __VA_ARGS__};                                                      \
        return &plugin;                                                        \
    }                                                                          \
    MUSTER_PLUGIN_ASSERT_(sizeof(note_text) < MUSTER_NOTE_TEXT_SIZE,           \
                          "a note's text is at most 503 bytes long")

/* For programs: registers a plugin that is linked in. entry is the address of
 * its muster_builtin_<id>(). Thread: any but control. Its classes are known
 * from then on, ahead of those in files. MUSTER_ABI, MUSTER_INVAL,
 * MUSTER_NOMEM; err (may be NULL) says why. */
MUSTER_API muster_status muster_plugin_register(muster_plugin_entry_fn entry,
                                                muster_error *err);

/* For programs: loads muster_NAME.so from path at once, instead of when one of
 * its classes is first named. The file and its folder must belong to root or to
 * the user who runs this, and not be writable by everyone; the file is no link.
 * It is mapped under the name /proc/self/fd/N and never unmapped ("$ORIGIN" in
 * its run path does not find its folder). Loading it again does nothing.
 * Thread: any but control (MUSTER_WOULD_DEADLOCK; also inside a plugin's
 * constructor). MUSTER_NOTFOUND, MUSTER_PERMISSION, MUSTER_ABI (its content, or
 * a name that another plugin has), MUSTER_INVAL (its file name), MUSTER_NOMEM,
 * MUSTER_UNAVAILABLE, MUSTER_FORKED; err (may be NULL) says why. */
MUSTER_API muster_status muster_plugin_load(const char *path,
                                            muster_error *err);

/* Adds a folder to those searched for muster_NAME.so, behind those added before
 * and ahead of MUSTER_PLUGIN_PATH (a ":"-separated list, ignored in set-uid
 * programs) and of the installed folder. Of two plugins that have a name in
 * common the first found wins. Thread: any. path is copied. MUSTER_INVAL (NULL,
 * empty, or with a ":"), MUSTER_NOMEM, MUSTER_FORKED. */
MUSTER_API muster_status muster_plugin_path_add(const char *path);

/* One plugin, as its note describes it. Strings are borrowed for the call. */
typedef struct muster_plugin_info {
    uint32_t struct_size;
    uint16_t abi_major;
    uint16_t abi_minor;
    const char *name;    /* "" when the file could not be read */
    const char *path;    /* "" when it is linked in */
    const char *classes; /* "resolver:dns balancer:x" */
    const char *refusal; /* why it cannot be loaded; NULL when it can */
} muster_plugin_info;

typedef void (*muster_plugin_list_fn)(void *arg,
                                      const muster_plugin_info *info);

/* Lists the plugins that are compiled in, registered, loaded or found in the
 * search path, running no line of those not loaded. Thread: any but control.
 * MUSTER_INVAL, MUSTER_NOMEM, MUSTER_WOULD_DEADLOCK, MUSTER_FORKED. */
MUSTER_API muster_status muster_plugin_list(muster_plugin_list_fn fn,
                                            void *arg);

/* The class of a policy by its name, loaded when need be, as a channel would:
 * for programs that drive a policy themselves, as muster simulate does. The
 * plugin's init() is not called: env.shared is the caller's business.
 * *ret_class lives as long as the process does, and is untouched on failure.
 * Thread: any but control. MUSTER_NOTFOUND (err lists what there is),
 * MUSTER_INVAL, MUSTER_ABI, MUSTER_PERMISSION, MUSTER_NOMEM, MUSTER_FORKED,
 * MUSTER_WOULD_DEADLOCK; err (may be NULL) says why. */
MUSTER_API muster_status muster_plugin_find_balancer(
    const char *name, const muster_balancer_class **ret_class,
    muster_error *err);

#ifdef __cplusplus
}
#endif

#endif
