/* SPDX-License-Identifier: Apache-2.0 */
/* The note of a plugin: which ABI it is built for, its name and its classes,
 * without running a line of it. Thread: any, all of it. */
#ifndef MUSTER_CORE_PLUGIN_NOTE_H
#define MUSTER_CORE_PLUGIN_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/plugin.h>

/* text is zero-terminated strings, one after another: the plugin's name, its
 * classes as "resolver:SCHEME" or "balancer:NAME", then an empty one. */
typedef struct muster__note {
    uint16_t abi_major;
    uint16_t abi_minor;
    char text[MUSTER_NOTE_TEXT_SIZE];
} muster__note;

#define MUSTER__RESOLVER_PREFIX "resolver:"
#define MUSTER__BALANCER_PREFIX "balancer:"

/* Reads the note of the ELF file fd; origin is its path, for messages.
 * MUSTER_ABI: not a shared object of this architecture, no note, a malformed
 * one, a wrong ABI. MUSTER_UNAVAILABLE: cannot be read. MUSTER_NOMEM. */
muster_status muster__note_read(int fd, const char *origin,
                                muster__note *ret_note, muster_error *err);

/* The note that belongs to plugin, which muster__plugin_check() has passed.
 * MUSTER_ABI: too long for a note, or a class named twice. */
muster_status muster__note_describe(const muster_plugin *plugin,
                                    const char *origin, muster__note *ret_note,
                                    muster_error *err);

const char *muster__note_name(const muster__note *note);

/* Steps through the classes: previous is NULL at first; NULL at the end. */
const char *muster__note_next_class(const muster__note *note,
                                    const char *previous);

/* Whether class_text ("resolver:dns") is one of the classes. */
bool muster__note_has_class(const muster__note *note, const char *class_text);

/* Whether both say the same, whatever the order of the classes. */
bool muster__note_equals(const muster__note *a, const muster__note *b);

/* A name or class that both have; NULL when there is none. */
const char *muster__note_conflict(const muster__note *a, const muster__note *b);

#endif
