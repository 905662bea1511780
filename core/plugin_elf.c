/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one note out of an ELF file, which may be malformed in any way. */
#include "plugin_elf.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin_check.h"

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;
typedef ElfW(Nhdr) elf_note;

/* Far more than any real file has; a lying header costs no more than this. */
#define MAX_SEGMENTS 256
#define MAX_NOTES_SIZE 65536

/* What is looked for, and where it goes. */
typedef struct note_search {
    const char *origin;
    const char *name;
    uint32_t type;
    void *buffer;
    size_t *size;
} note_search;

static muster_status read_at(int fd, uint64_t offset, void *buffer, size_t size,
                             const char *origin, muster_error *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pread(fd, (char *)buffer + done, size - done,
                          (off_t)(offset + done));

        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno == EINVAL || errno == EOVERFLOW) {
            return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                         "the file is truncated or malformed: "
                                         "it ends before byte %llu",
                                         (unsigned long long)(offset + size));
        } else if (errno != EINTR) {
            return muster__plugin_refuse(err, MUSTER_UNAVAILABLE, origin,
                                         "cannot be read: %s", strerror(errno));
        }
    }
    return MUSTER_OK;
}

/* The ELF header of the object that this code is in, as it is mapped. */
static const elf_header *own_header(void)
{
    static const char anchor = 0;
    Dl_info info;

    if (dladdr(&anchor, &info) == 0) {
        return NULL;
    }
    return info.dli_fbase;
}

static muster_status check_architecture(const elf_header *header,
                                        const char *origin, muster_error *err)
{
    const elf_header *own = own_header();

    if (own == NULL) {
        return muster__plugin_refuse(err, MUSTER_UNSUPPORTED, origin,
                                     "this program's own architecture cannot "
                                     "be determined");
    }
    if (header->e_ident[EI_CLASS] != own->e_ident[EI_CLASS]) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "wrong architecture: ELF class %u (1: 32 bit, 2: 64 bit); this "
            "program has %u",
            header->e_ident[EI_CLASS], own->e_ident[EI_CLASS]);
    }
    if (header->e_ident[EI_DATA] != own->e_ident[EI_DATA]) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "wrong architecture: ELF byte order %u (1: little, 2: big endian); "
            "this program has %u",
            header->e_ident[EI_DATA], own->e_ident[EI_DATA]);
    }
    if (header->e_machine != own->e_machine) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "wrong architecture: ELF machine %u; this program has %u",
            header->e_machine, own->e_machine);
    }
    return MUSTER_OK;
}

static muster_status check_header(const elf_header *header, const char *origin,
                                  muster_error *err)
{
    muster_status status;

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "not an ELF file; a plugin is a shared "
                                     "object");
    }
    status = check_architecture(header, origin, err);
    if (status != MUSTER_OK) {
        return status;
    }
    if (header->e_type != ET_DYN) {
        return muster__plugin_refuse(err, MUSTER_ABI, origin,
                                     "ELF type %u; a plugin is a shared object "
                                     "(%d)",
                                     header->e_type, ET_DYN);
    }
    if (header->e_phentsize != sizeof(elf_segment) || header->e_phnum == 0 ||
        header->e_phnum > MAX_SEGMENTS) {
        return muster__plugin_refuse(
            err, MUSTER_ABI, origin,
            "malformed: %u program headers of %u bytes; accepted are 1 to %d "
            "of %zu",
            header->e_phnum, header->e_phentsize, MAX_SEGMENTS,
            sizeof(elf_segment));
    }
    return MUSTER_OK;
}

static size_t align_up(size_t size, size_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

/* Walks the notes of one segment. *ret_found says whether it was there. */
static muster_status search_notes(const note_search *search, const char *notes,
                                  size_t size, size_t alignment,
                                  bool *ret_found, muster_error *err)
{
    size_t name_size = strlen(search->name) + 1;
    size_t at = 0;

    while (size - at >= sizeof(elf_note)) {
        elf_note head;
        size_t left = size - at - sizeof head;
        size_t desc_at;
        size_t whole;

        memcpy(&head, notes + at, sizeof head);
        if (head.n_namesz > left || head.n_descsz > left) {
            break;
        }
        desc_at = align_up(sizeof head + head.n_namesz, alignment);
        whole = align_up(desc_at + head.n_descsz, alignment);
        if (desc_at + head.n_descsz > sizeof head + left) {
            break;
        }
        if (head.n_type == search->type && head.n_namesz == name_size &&
            memcmp(notes + at + sizeof head, search->name, name_size) == 0) {
            if (desc_at + head.n_descsz > *search->size) {
                return muster__plugin_refuse(
                    err, MUSTER_ABI, search->origin,
                    "its note has %u bytes; at most %zu are accepted",
                    head.n_descsz, *search->size - desc_at);
            }
            *search->size = desc_at + head.n_descsz;
            memcpy(search->buffer, notes + at, *search->size);
            *ret_found = true;
            return MUSTER_OK;
        }
        at += whole < size - at ? whole : size - at;
    }
    return MUSTER_OK;
}

static muster_status search_segment(int fd, const elf_segment *segment,
                                    const note_search *search, bool *ret_found,
                                    muster_error *err)
{
    char *notes;
    muster_status status;

    if (segment->p_type != PT_NOTE || segment->p_filesz == 0) {
        return MUSTER_OK;
    }
    if (segment->p_filesz > MAX_NOTES_SIZE) {
        return muster__plugin_refuse(err, MUSTER_ABI, search->origin,
                                     "malformed: %llu bytes of notes; at most "
                                     "%d are accepted",
                                     (unsigned long long)segment->p_filesz,
                                     MAX_NOTES_SIZE);
    }
    notes = malloc(segment->p_filesz);
    if (notes == NULL) {
        return muster__plugin_refuse(err, MUSTER_NOMEM, search->origin,
                                     "out of memory reading its notes");
    }
    status = read_at(fd, segment->p_offset, notes, segment->p_filesz,
                     search->origin, err);
    if (status == MUSTER_OK) {
        status = search_notes(search, notes, segment->p_filesz,
                              segment->p_align == 8 ? 8 : 4, ret_found, err);
    }
    free(notes);
    return status;
}

/* Every loadable byte that the file promises is there: mapping a file cut short
 * would end in SIGBUS, inside dlopen() or much later. */
static muster_status check_length(int fd, const elf_segment *segment,
                                  const char *origin, muster_error *err)
{
    char last;

    if (segment->p_type != PT_LOAD || segment->p_filesz == 0) {
        return MUSTER_OK;
    }
    return read_at(fd, segment->p_offset + segment->p_filesz - 1, &last, 1,
                   origin, err);
}

muster_status muster__elf_find_note(int fd, const char *origin,
                                    const char *name, uint32_t type,
                                    void *buffer, size_t *size,
                                    muster_error *err)
{
    note_search search = {origin, name, type, buffer, size};
    elf_header header;
    bool is_found = false;
    muster_status status = read_at(fd, 0, &header, sizeof header, origin, err);

    if (status == MUSTER_OK) {
        status = check_header(&header, origin, err);
    }
    for (size_t i = 0; status == MUSTER_OK && i < header.e_phnum; i++) {
        elf_segment segment;

        status = read_at(fd, header.e_phoff + i * sizeof segment, &segment,
                         sizeof segment, origin, err);
        if (status == MUSTER_OK) {
            status = check_length(fd, &segment, origin, err);
        }
        if (status == MUSTER_OK && !is_found) {
            status = search_segment(fd, &segment, &search, &is_found, err);
        }
    }
    if (status == MUSTER_OK && !is_found) {
        status = muster__plugin_refuse(err, MUSTER_ABI, origin,
                                       "no note named \"%s\": not a muster "
                                       "plugin (MUSTER_PLUGIN() makes it)",
                                       name);
    }
    return status;
}
