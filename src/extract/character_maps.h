/* character_maps.h - Poppler's tables of East Asian characters, in memory: Poppler opens them by name when a font asks for one, and then
   there is no file system any more. */
#ifndef DMS_EXTRACT_CHARACTER_MAPS_H
#define DMS_EXTRACT_CHARACTER_MAPS_H

#include "base/base.h"

/* Before the sandbox: maps all of them, if the package poppler-data is there. From then on fopen() of one reads from memory. */
void character_maps_load(void);

#endif
