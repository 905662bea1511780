/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the writer of the format, and sees that all got out. */
#include "output.h"

#include <errno.h>
#include <string.h>

typedef bool (*write_fn)(FILE *out, output *self, const output_report *report);

static const struct {
    const char *name;
    write_fn write;
} formats[] = {
    [OUTPUT_TABLE] = {"table", output_write_table},
    [OUTPUT_JSON] = {"json", output_write_json},
    [OUTPUT_NDJSON] = {"ndjson", output_write_ndjson},
    [OUTPUT_NAME] = {"name", output_write_name},
};

bool output_format_parse(const char *text, output_format *ret_format)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (strcmp(formats[i].name, text) == 0) {
            *ret_format = (output_format)i;
            return true;
        }
    }
    return false;
}

exit_code output_flush(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return EXIT_CODE_OK;
    }
    return errno == EPIPE
               ? EXIT_CODE_FAILURE
               : command_fail(EXIT_CODE_FAILURE, "output", strerror(errno));
}

exit_code output_write(output *self, const output_report *report)
{
    if (report->document == NULL ||
        !formats[self->format].write(stdout, self, report)) {
        return command_fail(EXIT_CODE_FAILURE, "output", "out of memory");
    }
    return output_flush();
}
