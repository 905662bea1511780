/* SPDX-License-Identifier: Apache-2.0 */
/* Prints each answer, one block below the other. */
#include <stdio.h>

#include "../admin/socket_options.h"
#include "document.h"
#include "layout.h"
#include "ways.h"

static exit_code print_page(const top_page *page)
{
    if (page->is_out_of_memory) {
        return command_fail(EXIT_CODE_FAILURE, "output", "out of memory");
    }
    for (size_t i = 0; i < page->n_lines; i++) {
        const char *text = page->lines[i].text;

        (void)puts(text != NULL ? text : "");
    }
    return output_flush();
}

static exit_code print_lines(const top_show *self, bool is_first)
{
    const top_paper paper = {.has_headings = self->output.is_header_due};
    top_page page;
    exit_code code;

    if (!is_first) {
        (void)puts("");
    }
    top_page_init(&page);
    top_layout(self->tracker.snapshot, &paper, &page);
    code = print_page(&page);
    top_page_fini(&page);
    return code;
}

static exit_code print(top_show *self, bool is_first)
{
    static const char *const name[] = {"target", "address", NULL};
    json_t *document;
    exit_code code;

    if (self->output.format == OUTPUT_TABLE) {
        return print_lines(self, is_first);
    }
    document = top_document(self->tracker.snapshot,
                            self->output.format == OUTPUT_NAME);
    code = output_write(&self->output,
                        &(const output_report){document, "lines", NULL, name});
    json_decref(document);
    return code;
}

exit_code top_show_plain(top_show *self)
{
    exit_code code = EXIT_CODE_OK;
    muster_status status = MUSTER_OK;
    muster_error err;

    for (uint64_t i = 0; code == EXIT_CODE_OK && i < self->count; i++) {
        if (i > 0) {
            status = admin_client_pause(self->tracker.client, self->interval_ms,
                                        &err);
        }
        if (status == MUSTER_OK) {
            status = top_tracker_ask(&self->tracker, &err);
        }
        if (status != MUSTER_OK) {
            return socket_options_fail(self->tracker.path, status, &err);
        }
        code = print(self, i == 0);
    }
    return code;
}
