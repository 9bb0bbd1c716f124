/* file.h - whole small files and folders. Large files belong to blob/. */
#ifndef DMS_BASE_FILE_H
#define DMS_BASE_FILE_H

#include "base/text.h"

#include <stdio.h>

/* The whole file of at most max bytes. 1 read, 0 there is no such file, -1 error. */
MUST_CHECK int file_read(struct arena *a, const char *path, size_t max, struct str *ret, struct error *err);
/* Durable and all or nothing: temporary name, fsync, rename, fsync of the folder. */
MUST_CHECK int file_write(const char *path, struct str content, unsigned mode, struct error *err);
MUST_CHECK int file_make_dirs(const char *path, unsigned mode, struct error *err);
MUST_CHECK int file_sync_dir(const char *path, struct error *err);
/* Removes a file or a tree; no such file is fine. */
MUST_CHECK int file_remove_tree(const char *path, struct error *err);
MUST_CHECK int file_write_all(int fd, struct str bytes, struct error *err);
/* a/b in the arena. */
const char *path_join(struct arena *a, const char *dir, const char *name);
/* ERR_STORAGE_FULL for ENOSPC and EDQUOT, ERR_UNAVAILABLE for want of descriptors or memory, else ERR_INTERNAL. */
enum err err_of_errno(int e);

/* Closes a stream local; NULL is "none". */
void fclosep(FILE **f);

#endif
