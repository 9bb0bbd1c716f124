/* character_maps.c - stands between Poppler and the C library's fopen, since Poppler offers no other way to be given its tables. A name
   that was loaded is answered from memory, any other by the real fopen, which fails inside the sandbox. */
#include "extract/character_maps.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_FOLDER "/usr/share/poppler"

enum { MAX_MAPS = 600, PATH_BYTES = 160, MAX_MAP_BYTES = 4 << 20 };

struct map {
    char   path[PATH_BYTES];
    void  *bytes;
    size_t size;
};

/* Written once by character_maps_load, before anything untrusted is looked at; the process has one thread. */
static struct {
    struct map *maps;
    size_t      count;
} loaded;

static void load_map(const char *path)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat           st;
    struct map           *m = &loaded.maps[loaded.count];

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > MAX_MAP_BYTES)
        return;
    m->size = (size_t)st.st_size;
    m->bytes = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (m->bytes == MAP_FAILED)
        return;
    memcpy(m->path, path, strlen(path) + 1);
    loaded.count++;
}

static void load_folder(const char *folder)
{
    DIR *d = opendir(folder);

    for (struct dirent *e; d && loaded.count < MAX_MAPS && (e = readdir(d)) != NULL;) {
        char path[PATH_BYTES];
        int  n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);

        if (e->d_name[0] != '.' && n > 0 && (size_t)n < sizeof path)
            load_map(path);
    }
    if (d)
        closedir(d);
}

void character_maps_load(void)
{
    static const char *const folders[] = {
        DATA_FOLDER "/cidToUnicode",      DATA_FOLDER "/cMap/Adobe-GB1",    DATA_FOLDER "/cMap/Adobe-CNS1",
        DATA_FOLDER "/cMap/Adobe-Japan1", DATA_FOLDER "/cMap/Adobe-Japan2", DATA_FOLDER "/cMap/Adobe-Korea1",
        DATA_FOLDER "/cMap/Adobe-KR",
    };

    loaded.maps = calloc(MAX_MAPS, sizeof *loaded.maps);
    for (size_t i = 0; loaded.maps && i < ARRAY_LEN(folders); i++)
        load_folder(folders[i]);
}

static FILE *open_map(const char *path)
{
    for (size_t i = 0; i < loaded.count; i++)
        if (strcmp(loaded.maps[i].path, path) == 0)
            return fmemopen(loaded.maps[i].bytes, loaded.maps[i].size, "r");
    return NULL;
}

/* The C library's own function of this name, which ours hides. */
static FILE *open_really(const char *name, const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, name);

    return real ? real(path, mode) : NULL;
}

/* By these two names libraries call it, whichever file size they were built for. The names are given to the linker only: stdio.h may
   have made one of them an alias of the other. */
#define FOR_LIBRARIES(name) __asm__(name) __attribute__((visibility("default")))
FILE *answer_fopen(const char *path, const char *mode) FOR_LIBRARIES("fopen");
FILE *answer_fopen64(const char *path, const char *mode) FOR_LIBRARIES("fopen64");

FILE *answer_fopen(const char *path, const char *mode)
{
    FILE *map = open_map(path);

    return map ? map : open_really("fopen", path, mode);
}

FILE *answer_fopen64(const char *path, const char *mode)
{
    FILE *map = open_map(path);

    return map ? map : open_really("fopen64", path, mode);
}
