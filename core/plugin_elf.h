/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one note out of an ELF file, which may be malformed in any way. */
#ifndef MUSTER_CORE_PLUGIN_ELF_H
#define MUSTER_CORE_PLUGIN_ELF_H

#include <stddef.h>
#include <stdint.h>

#include <muster/status.h>

/* Copies the first note called name with that type, head included, to buffer,
 * which has room for *size bytes; *size becomes its length. The file must be a
 * shared object of this program's architecture. origin is its path, for
 * messages. MUSTER_ABI: it is not, it has no such note, or one that does not
 * fit. MUSTER_UNAVAILABLE: cannot be read. MUSTER_NOMEM. Thread: any. */
muster_status muster__elf_find_note(int fd, const char *origin,
                                    const char *name, uint32_t type,
                                    void *buffer, size_t *size,
                                    muster_error *err);

#endif
