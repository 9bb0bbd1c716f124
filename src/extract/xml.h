/* xml.h - XML in pieces, by events, with everything that makes XML dangerous refused: no DTD, no entities, no network, no deep trees.
   The only user of libxml2's XML parser; knows no Office. */
#ifndef DMS_EXTRACT_XML_H
#define DMS_EXTRACT_XML_H

#include "base/text.h"
#include "domain/file_type.h"

enum { XML_READER_MAX_DEPTH = 256, XML_READER_MAX_ATTRIBUTES = 256 };

struct xml_attributes; /* of the element that starts; gone when the call returns */

/* The named attribute's value, whatever its prefix; NULL when absent. */
const char *xml_attribute(const struct xml_attributes *at, struct arena *a, const char *local_name);

struct xml_events {
    /* Names without prefix. */
    void (*start)(void *arg, const char *name, const struct xml_attributes *at);
    void (*end)(void *arg, const char *name);
    void (*text)(void *arg, struct str piece);
    void *arg;
};

struct xml_reader;

struct xml_reader *xml_open(struct arena *a, const struct xml_events *events); /* NULL: no memory */
/* CAUSE_DAMAGED: not well-formed. CAUSE_UNSAFE: a DTD. CAUSE_BOMB: deeper or wider than the limits. */
enum extract_cause            xml_feed(void *reader, struct str piece); /* of the type that zip_read wants */
MUST_CHECK enum extract_cause xml_finish(struct xml_reader *x);

#endif
