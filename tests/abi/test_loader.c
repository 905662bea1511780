/* SPDX-License-Identifier: Apache-2.0 */
/* Every way in which the loader refuses a file, and what it then says. */
#include "plugin_files.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin_note.h"

typedef ElfW(Ehdr) elf_header;
typedef ElfW(Phdr) elf_segment;

static const char *folder;

static void set_up(void)
{
    folder = folder_make();
    (void)unsetenv("MUSTER_TEST_GOOD_RAN");
}

TestSuite(loader, .init = set_up, .fini = folder_remove);

static bool good_ran(void)
{
    return getenv("MUSTER_TEST_GOOD_RAN") != NULL;
}

/* Loading path is refused with that status and a sentence that names the path
 * and holds text; no line of the plugin has run. */
static void expect_refused(const char *path, muster_status expected,
                           const char *text)
{
    muster_error err = {.code = MUSTER_OK, .message = ""};
    muster_status status = muster_plugin_load(path, &err);

    cr_expect_eq(status, expected, "%s, not %s: %s", muster_status_name(status),
                 muster_status_name(expected), err.message);
    cr_expect_eq(err.code, status);
    cr_expect(strncmp(err.message, path, strlen(path)) == 0, "%s", err.message);
    cr_expect_not_null(strstr(err.message, text), "no \"%s\" in: %s", text,
                       err.message);
    cr_expect(!good_ran());
}

/* Writes image as muster_good.so, and expects as above. */
static void expect_image_refused(file_image *image, const char *text)
{
    const char *path = path_in(folder, "muster_good.so");

    image_write(image, path);
    expect_refused(path, MUSTER_ABI, text);
}

static elf_header *header_of(const file_image *image)
{
    return (elf_header *)(void *)image->bytes;
}

static elf_segment *segment_of(const file_image *image, uint32_t type)
{
    elf_segment *segments =
        (elf_segment *)(void *)(image->bytes + header_of(image)->e_phoff);

    for (size_t i = 0; i < header_of(image)->e_phnum; i++) {
        if (segments[i].p_type == type) {
            return &segments[i];
        }
    }
    cr_assert_fail("the plugin has no such segment");
    return NULL;
}

Test(loader, loads_a_good_plugin)
{
    const char *path = path_in(folder, "muster_good.so");
    muster_error err;

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(muster_plugin_load(path, &err), MUSTER_OK, "%s", err.message);
    cr_assert(good_ran());
}

Test(loader, loading_the_same_file_again_does_nothing)
{
    const char *path = path_in(folder, "muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(muster_plugin_load(path, NULL), MUSTER_OK);
    cr_assert_eq(muster_plugin_load(path, NULL), MUSTER_OK);
}

Test(loader, refuses_no_path)
{
    muster_error err;

    cr_assert_eq(muster_plugin_load(NULL, &err), MUSTER_INVAL);
}

/* ---- names ---- */

Test(loader, refuses_a_wrong_file_name)
{
    const char *names[] = {
        "good.so",        "muster_good.so.1",
        "muster_Good.so", "muster_.so",
        "muster_a.b.so",  "muster_0123456789012345678901234567890_2.so",
        "muster_so"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        plugin_copy("muster_good.so", folder, names[i]);
        expect_refused(path_in(folder, names[i]), MUSTER_INVAL,
                       "wrong file name; a plugin's is muster_NAME.so");
    }
}

Test(loader, refuses_a_name_that_is_not_the_notes)
{
    plugin_copy("muster_good.so", folder, "muster_other.so");
    expect_refused(path_in(folder, "muster_other.so"), MUSTER_ABI,
                   "names the plugin \"good\"");
}

/* ---- the file ---- */

Test(loader, refuses_a_missing_file)
{
    expect_refused(path_in(folder, "muster_good.so"), MUSTER_NOTFOUND,
                   "no such file");
    expect_refused(path_in(folder, "nowhere/muster_good.so"), MUSTER_NOTFOUND,
                   "no such file");
}

/* Of a long path the message has only the end. */
static void expect_long_path_refused(const char *path, muster_status expected,
                                     const char *text)
{
    muster_error err = {.code = MUSTER_OK, .message = ""};

    cr_expect_eq(muster_plugin_load(path, &err), expected);
    cr_expect(strncmp(err.message, "...", 3) == 0, "%s", err.message);
    cr_expect_not_null(strstr(err.message, text), "no \"%s\" in: %s", text,
                       err.message);
}

Test(loader, refuses_a_folder_whose_name_is_too_long)
{
    char name[NAME_MAX + 2];

    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    expect_long_path_refused(
        path_in(path_in(folder, name), "muster_good.so"), MUSTER_UNAVAILABLE,
        "a/muster_good.so: cannot be opened: File name too long");
}

Test(loader, refuses_a_path_that_is_too_long)
{
    static const char file_name[] = "/muster_good.so";
    char path[PATH_MAX + sizeof file_name];

    memset(path, '/', PATH_MAX);
    memcpy(path + PATH_MAX, file_name, sizeof file_name);
    expect_long_path_refused(path, MUSTER_INVAL,
                             "/muster_good.so: the path is longer than 4096 "
                             "bytes");
}

Test(loader, refuses_a_symbolic_link)
{
    const char *path = path_in(folder, "muster_good.so");

    cr_assert_eq(symlink(built_plugin("muster_good.so"), path), 0);
    expect_refused(path, MUSTER_PERMISSION, "symbolic link");
}

Test(loader, refuses_a_folder)
{
    expect_refused(folder_make_inner("muster_good.so"), MUSTER_PERMISSION,
                   "a folder; a plugin is a regular file");
}

Test(loader, refuses_a_fifo_without_waiting_for_it)
{
    const char *path = path_in(folder, "muster_good.so");

    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_refused(path, MUSTER_PERMISSION,
                   "a special file; a plugin is a regular file");
}

Test(loader, refuses_a_file_that_everyone_may_write)
{
    const char *path = path_in(folder, "muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(chmod(path, 0646), 0);
    expect_refused(path, MUSTER_PERMISSION,
                   "the file may be written by everyone (mode 0646)");
}

Test(loader, refuses_a_folder_that_everyone_may_write)
{
    const char *path = path_in(folder, "muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(chmod(folder, 01777), 0);
    expect_refused(path, MUSTER_PERMISSION,
                   "its folder may be written by everyone (mode 1777)");
}

Test(loader, refuses_a_file_of_another_user)
{
    const char *path = path_in(folder, "muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    if (geteuid() != 0 || chown(path, 12345, 12345) != 0) {
        cr_skip_test("only root gives files away");
    }
    expect_refused(path, MUSTER_PERMISSION,
                   "the file belongs to user 12345; it must belong to root");
}

Test(loader, refuses_a_folder_of_another_user)
{
    const char *path = path_in(folder, "muster_good.so");

    plugin_copy("muster_good.so", folder, "muster_good.so");
    if (geteuid() != 0 || chown(folder, 12345, 12345) != 0) {
        cr_skip_test("only root gives files away");
    }
    expect_refused(path, MUSTER_PERMISSION,
                   "its folder belongs to user 12345; it must belong to root");
}

/* 0 when path is refused as one that this user may not read, whoever it is. */
static int load_as_nobody(const char *path)
{
    enum { NOBODY = 65534 };
    muster_error err = {.code = MUSTER_OK, .message = ""};

    if (geteuid() == 0 && setuid(NOBODY) != 0) {
        return 2;
    }
    if (muster_plugin_load(path, &err) != MUSTER_PERMISSION ||
        strstr(err.message, "may not be read by this user") == NULL) {
        return 1;
    }
    return 0;
}

/* In a child, because root may read everything. */
Test(loader, refuses_a_file_that_it_may_not_read)
{
    const char *path = path_in(folder, "muster_good.so");
    int state = -1;
    pid_t child;

    plugin_copy("muster_good.so", folder, "muster_good.so");
    cr_assert_eq(chmod(folder, 0755), 0);
    cr_assert_eq(chmod(path, 0), 0);
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        _exit(load_as_nobody(path));
    }
    cr_assert_eq(waitpid(child, &state, 0), child);
    cr_expect(WIFEXITED(state));
    cr_expect_eq(WEXITSTATUS(state), 0);
}

/* A disk may fail; a file that is open for writing only fails as it would. */
Test(loader, refuses_a_file_that_cannot_be_read)
{
    const char *path = path_in(folder, "muster_good.so");
    muster_error err = {.code = MUSTER_OK, .message = ""};
    muster__note note;
    int fd;

    plugin_copy("muster_good.so", folder, "muster_good.so");
    fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_expect_eq(muster__note_read(fd, path, &note, &err), MUSTER_UNAVAILABLE);
    cr_expect_not_null(
        strstr(err.message, "cannot be read: Bad file descriptor"), "%s",
        err.message);
    (void)close(fd);
}

/* ---- ELF ---- */

Test(loader, refuses_what_is_not_elf)
{
    file_image image = image_read("muster_good.so");

    image.bytes[0] = '#';
    expect_image_refused(&image, "not an ELF file");
}

Test(loader, refuses_another_class)
{
    file_image image = image_read("muster_good.so");

    image.bytes[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    expect_image_refused(&image, "wrong architecture: ELF class");
}

Test(loader, refuses_another_byte_order)
{
    file_image image = image_read("muster_good.so");

    image.bytes[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
    expect_image_refused(&image, "wrong architecture: ELF byte order");
}

Test(loader, refuses_another_machine)
{
    file_image image = image_read("muster_good.so");

    header_of(&image)->e_machine = EM_S390;
    expect_image_refused(&image, "wrong architecture: ELF machine 22");
}

Test(loader, refuses_a_program)
{
    file_image image = image_read("muster_good.so");

    header_of(&image)->e_type = ET_EXEC;
    expect_image_refused(&image, "ELF type 2; a plugin is a shared object");
}

Test(loader, refuses_wrong_program_headers)
{
    const struct {
        uint16_t number;
        uint16_t size;
    } wrong[] = {
        {0, sizeof(elf_segment)}, {65535, sizeof(elf_segment)}, {1, 8}};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        file_image image = image_read("muster_good.so");

        header_of(&image)->e_phnum = wrong[i].number;
        header_of(&image)->e_phentsize = wrong[i].size;
        expect_image_refused(&image, "program headers");
    }
}

Test(loader, refuses_program_headers_beyond_the_file)
{
    file_image image = image_read("muster_good.so");

    header_of(&image)->e_phoff = UINT64_MAX - 8;
    expect_image_refused(&image, "truncated or malformed");
}

Test(loader, refuses_a_truncated_file)
{
    const size_t sizes[] = {0,
                            4,
                            sizeof(elf_header) - 1,
                            sizeof(elf_header),
                            sizeof(elf_header) + 8,
                            4096};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        file_image image = image_read("muster_good.so");

        cr_assert_gt(image.size, sizes[i]);
        image.size = sizes[i];
        expect_image_refused(&image, "truncated");
    }
}

Test(loader, refuses_a_file_cut_inside_its_last_segment)
{
    file_image image = image_read("muster_good.so");
    const elf_segment *dynamic = segment_of(&image, PT_DYNAMIC);

    image.size = dynamic->p_offset + dynamic->p_filesz;
    expect_image_refused(&image, "truncated");
}

Test(loader, refuses_endless_notes)
{
    file_image image = image_read("muster_good.so");

    segment_of(&image, PT_NOTE)->p_filesz = UINT64_MAX;
    expect_image_refused(&image, "bytes of notes");
}

Test(loader, survives_any_byte_of_the_headers)
{
    size_t n_bytes = 1024;

    for (size_t i = 0; i < n_bytes; i++) {
        const char *path = path_in(folder, "muster_other.so");
        file_image image = image_read("muster_good.so");

        image.bytes[i] = (unsigned char)~image.bytes[i];
        image_write(&image, path);
        /* Its name is not the note's, so that nothing is ever mapped. */
        cr_expect_neq(muster_plugin_load(path, NULL), MUSTER_OK);
    }
    cr_expect(!good_ran());
}

/* ---- the note ---- */

Test(loader, refuses_a_shared_object_without_a_note)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->name[0] = 'M';
    expect_image_refused(&image, "no note named \"muster\"");
}

Test(loader, refuses_a_note_of_another_type)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->type = 2;
    expect_image_refused(&image, "no note named \"muster\"");
}

Test(loader, refuses_a_note_whose_sizes_lie)
{
    const uint32_t sizes[] = {UINT32_MAX, UINT32_MAX - 2, 1u << 31, 4096};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        file_image image = image_read("muster_good.so");

        image_note(&image)->descsz = sizes[i];
        expect_image_refused(&image, "note");
        image = image_read("muster_good.so");
        image_note(&image)->namesz = sizes[i];
        expect_image_refused(&image, "note");
    }
}

/* The segment that the note is in is made as much longer. */
Test(loader, refuses_a_note_that_is_too_long)
{
    file_image image = image_read("muster_good.so");
    const size_t at =
        (size_t)((const unsigned char *)image_note(&image) - image.bytes);
    elf_segment *segment =
        (elf_segment *)(void *)(image.bytes + header_of(&image)->e_phoff);

    while (segment->p_type != PT_NOTE || segment->p_offset > at ||
           segment->p_offset + segment->p_filesz <= at) {
        segment++;
    }
    segment->p_filesz += 8;
    image_note(&image)->descsz += 8;
    expect_image_refused(&image,
                         "its note has 520 bytes; at most 512 are accepted");
}

Test(loader, refuses_a_note_that_is_too_short)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->descsz = 2;
    expect_image_refused(&image, "too short to hold an ABI");
}

Test(loader, refuses_another_major_abi)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->abi_major = MUSTER_ABI_MAJOR + 1;
    expect_image_refused(&image,
                         "built for plugin ABI 2.0; this library takes the "
                         "same major number up to 1.0");
}

Test(loader, refuses_an_abi_from_before_it_was_frozen)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->abi_major = 0;
    image_note(&image)->abi_minor = 2;
    expect_image_refused(&image, "built for plugin ABI 0.2; this library takes "
                                 "the same major number up to 1.0");
}

Test(loader, refuses_a_later_minor_abi)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->abi_minor = MUSTER_ABI_MINOR + 1;
    expect_image_refused(&image, "the same major number up to 1.0");
}

/* So that a later ABI can give it a meaning. */
Test(loader, refuses_a_note_with_something_in_reserved)
{
    file_image image = image_read("muster_good.so");

    image_note(&image)->reserved = 1;
    expect_image_refused(&image, "reserved of its note is 1, not 0");
}

/* Refuses the note whose text is text. */
static void expect_text_refused(const char *text, size_t size,
                                const char *sentence)
{
    file_image image = image_read("muster_good.so");
    muster_plugin_note *note = image_note(&image);

    memset(note->text, 0, sizeof note->text);
    memcpy(note->text, text, size);
    expect_image_refused(&image, sentence);
}

Test(loader, refuses_a_note_without_a_name)
{
    expect_text_refused("", 1, "names the plugin \"\"");
}

Test(loader, refuses_a_note_with_a_malformed_name)
{
    expect_text_refused("Good\0resolver:good", 19, "names the plugin \"Good\"");
}

Test(loader, refuses_a_note_without_classes)
{
    expect_text_refused("good", 5, "its note names no class");
}

Test(loader, refuses_a_note_with_a_malformed_class)
{
    const char *classes[] = {"resolver:", "resolver:Good", "balancer:a-b",
                             "transport:good", "good"};

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        char text[64] = "good";

        (void)snprintf(text + 5, sizeof text - 5, "%s", classes[i]);
        expect_text_refused(text, sizeof text, "its note names the class");
    }
}

Test(loader, refuses_a_note_that_names_a_class_twice)
{
    expect_text_refused("good\0resolver:good\0resolver:good", 33,
                        "names resolver:good twice");
}

Test(loader, refuses_a_note_whose_text_has_no_end)
{
    char text[MUSTER_NOTE_TEXT_SIZE];

    memset(text, 'a', sizeof text);
    expect_text_refused(text, sizeof text, "has no end");
}
