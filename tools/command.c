/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb of the command shares: failing in one way. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clean.h"
#include "refusals.h"

void command_say(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        (void)fputs("muster: out of memory\n", stderr);
        return;
    }
    clean_text(text);
    (void)fprintf(stderr, "muster: %s\n", text);
    free(text);
}

exit_code command_fail(exit_code code, const char *subject, const char *message)
{
    command_say("%s: %s", subject, message);
    return code;
}

exit_code command_fail_create(muster_status status, const char *target,
                              const muster_error *err)
{
    exit_code code = EXIT_CODE_FAILURE;

    if (status == MUSTER_ABI || status == MUSTER_PERMISSION ||
        (status == MUSTER_NOTFOUND && refusals_tell(target))) {
        code = EXIT_CODE_PLUGIN;
    } else if (status == MUSTER_INVAL || status == MUSTER_NOTFOUND) {
        code = EXIT_CODE_USAGE;
    }
    return command_fail(code, target, err->message);
}

exit_code command_code_of_source(muster_status status)
{
    switch (status) {
    case MUSTER_OK:
        return EXIT_CODE_OK;
    case MUSTER_NOTFOUND:
        return EXIT_CODE_NO_ENDPOINTS;
    case MUSTER_UNAVAILABLE:
    case MUSTER_REFUSED:
    case MUSTER_TIMEOUT:
    case MUSTER_PERMISSION:
        return EXIT_CODE_SOURCE;
    case MUSTER_PROTOCOL:
    case MUSTER_INVAL:
        return EXIT_CODE_DATA;
    default:
        return EXIT_CODE_FAILURE;
    }
}
