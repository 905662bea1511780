/* SPDX-License-Identifier: Apache-2.0 */
/* The note of a plugin: which ABI it is built for, its name and its classes. */
#include "plugin_note.h"

#include <string.h>

#include "plugin_check.h"
#include "plugin_elf.h"

#define NOTE_HEAD_SIZE offsetof(muster_plugin_note, text)

/* The text, which the file may have filled to the brim, must end with an empty
 * string inside size. */
static bool is_terminated(const char *text, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t length = strnlen(text + at, size - at);

        if (length == 0) {
            return true;
        }
        at += length + 1;
    }
    return false;
}

static bool is_class_text(const char *text)
{
    size_t prefix = sizeof MUSTER__RESOLVER_PREFIX - 1;

    if (strncmp(text, MUSTER__RESOLVER_PREFIX, prefix) == 0) {
        return muster__scheme_is_valid(text + prefix);
    }
    prefix = sizeof MUSTER__BALANCER_PREFIX - 1;
    return strncmp(text, MUSTER__BALANCER_PREFIX, prefix) == 0 &&
           muster__policy_is_valid(text + prefix);
}

static muster_status check_classes(const muster__note *note, const char *origin,
                                   muster_error *err)
{
    const char *class_text = muster__note_next_class(note, NULL);

    if (class_text == NULL) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "its note names no class; it must name "
                                     "resolver:SCHEME or balancer:NAME");
    }
    while (class_text != NULL) {
        const char *next = muster__note_next_class(note, class_text);

        if (!is_class_text(class_text)) {
            return muster__plugin_refuse(
                err, MUSTER_ABI, origin,
                "its note names the class \"%.80s\", which is not "
                "resolver:" MUSTER__SCHEME_SYNTAX
                " or balancer:" MUSTER__POLICY_SYNTAX,
                class_text);
        }
        for (; next != NULL; next = muster__note_next_class(note, next)) {
            if (strcmp(class_text, next) == 0) {
                return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                             "it names %s twice", class_text);
            }
        }
        class_text = muster__note_next_class(note, class_text);
    }
    return MUSTER_OK;
}

static muster_status check_text(const muster__note *note, const char *origin,
                                muster_error *err)
{
    if (!is_terminated(note->text, sizeof note->text)) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "the text of its note has no end within "
                                     "%d bytes",
                                     MUSTER_NOTE_TEXT_SIZE);
    }
    if (!muster__plugin_name_is_valid(note->text)) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "its note names the plugin \"%.40s\", which is not "
            "\"" MUSTER__PLUGIN_NAME_SYNTAX "\"",
            note->text);
    }
    return check_classes(note, origin, err);
}

muster_status muster__note_read(int fd, const char *origin,
                                muster__note *ret_note, muster_error *err)
{
    muster_plugin_note raw;
    muster__note note;
    size_t size = sizeof raw;
    muster_status status = muster__elf_find_note(
        fd, origin, MUSTER_NOTE_NAME, MUSTER_NOTE_TYPE, &raw, &size, err);

    if (status != MUSTER_OK) {
        return status;
    }
    if (size < NOTE_HEAD_SIZE) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "its note is too short to hold an ABI");
    }
    status =
        muster__plugin_check_abi(raw.abi_major, raw.abi_minor, origin, err);
    if (status != MUSTER_OK) {
        return status;
    }
    if (raw.reserved != 0) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "reserved of its note is %u, not 0",
                                     raw.reserved);
    }
    memset(&note, 0, sizeof note);
    note.abi_major = raw.abi_major;
    note.abi_minor = raw.abi_minor;
    memcpy(note.text, raw.text, size - NOTE_HEAD_SIZE);
    status = check_text(&note, origin, err);
    if (status == MUSTER_OK) {
        *ret_note = note;
    }
    return status;
}

/* Appends prefix and name as one string; false when there is no room for it
 * and for the empty one at the end. */
static bool append(char *text, size_t *used, const char *prefix,
                   const char *name)
{
    size_t room = MUSTER_NOTE_TEXT_SIZE - *used;
    int length = snprintf(text + *used, room, "%s%s", prefix, name);

    if (length < 0 || (size_t)length + 2 > room) {
        return false;
    }
    *used += (size_t)length + 1;
    return true;
}

muster_status muster__note_describe(const muster_plugin *plugin,
                                    const char *origin, muster__note *ret_note,
                                    muster_error *err)
{
    muster__note note;
    size_t used = 0;
    bool has_room;
    muster_status status;

    memset(&note, 0, sizeof note);
    note.abi_major = plugin->abi_major;
    note.abi_minor = plugin->abi_minor;
    has_room = append(note.text, &used, "", plugin->name);
    for (uint32_t i = 0; has_room && i < plugin->n_resolvers; i++) {
        has_room = append(note.text, &used, MUSTER__RESOLVER_PREFIX,
                          plugin->resolvers[i]->scheme);
    }
    for (uint32_t i = 0; has_room && i < plugin->n_balancers; i++) {
        has_room = append(note.text, &used, MUSTER__BALANCER_PREFIX,
                          plugin->balancers[i]->name);
    }
    if (!has_room) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "its names together are longer than the "
                                     "%d bytes of a note",
                                     MUSTER_NOTE_TEXT_SIZE);
    }
    status = check_text(&note, origin, err);
    if (status == MUSTER_OK) {
        *ret_note = note;
    }
    return status;
}

const char *muster__note_name(const muster__note *note)
{
    return note->text;
}

const char *muster__note_next_class(const muster__note *note,
                                    const char *previous)
{
    const char *at = previous == NULL ? note->text : previous;

    at += strlen(at) + 1;
    return *at == '\0' ? NULL : at;
}

bool muster__note_has_class(const muster__note *note, const char *class_text)
{
    const char *own = muster__note_next_class(note, NULL);

    while (own != NULL && strcmp(own, class_text) != 0) {
        own = muster__note_next_class(note, own);
    }
    return own != NULL;
}

/* Whether b has each class of a. */
static bool has_classes_of(const muster__note *b, const muster__note *a)
{
    const char *own = muster__note_next_class(a, NULL);

    while (own != NULL && muster__note_has_class(b, own)) {
        own = muster__note_next_class(a, own);
    }
    return own == NULL;
}

bool muster__note_equals(const muster__note *a, const muster__note *b)
{
    return a->abi_major == b->abi_major && a->abi_minor == b->abi_minor &&
           strcmp(a->text, b->text) == 0 && has_classes_of(a, b) &&
           has_classes_of(b, a);
}

const char *muster__note_conflict(const muster__note *a, const muster__note *b)
{
    const char *own = muster__note_next_class(a, NULL);

    if (strcmp(a->text, b->text) == 0) {
        return a->text;
    }
    while (own != NULL && !muster__note_has_class(b, own)) {
        own = muster__note_next_class(a, own);
    }
    return own;
}
