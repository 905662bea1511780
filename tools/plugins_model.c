/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what is known of a plugin into JSON. */
#include <string.h>

#include "model.h"
#include "plugins.h"

/* "resolver:dns balancer:x" as an array. */
static json_t *classes_of(const muster_plugin_info *info)
{
    json_t *array = json_array();
    const char *at = info->classes;

    while (*at != '\0') {
        size_t length = strcspn(at, " ");

        if (length > 0 &&
            json_array_append_new(array, json_stringn(at, length)) != 0) {
            json_decref(array);
            return NULL;
        }
        at += length + strspn(at + length, " ");
    }
    return array;
}

static json_t *text_or_null(const char *text)
{
    return model_text(text[0] == '\0' ? NULL : text);
}

/* Of a file whose note cannot be read there is no name and no ABI. */
static json_t *abi_of(const muster_plugin_info *info)
{
    if (info->name[0] == '\0') {
        return json_null();
    }
    return json_sprintf("%u.%u", (unsigned)info->abi_major,
                        (unsigned)info->abi_minor);
}

json_t *plugins_model(const muster_plugin_info *info)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "name",
                     text_or_null(info->name), "abi", abi_of(info), "classes",
                     classes_of(info), "path", text_or_null(info->path),
                     "refusal", model_text(info->refusal));
}
