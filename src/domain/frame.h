/* frame.h - what dms-extract writes and the parent reads. Both sides include this page; the decoder is extraction.c.

   A frame is a kind (1 byte), a length (4 bytes, little endian) and that many bytes. In this order:
   hello   JSON {"version": 1, "landlock": N, "seccomp": true, ...}: which protections stand, before the file is looked at
   block*  kind (1 byte), level (1 byte), page (4 bytes, little endian), text (UTF-8, not empty)
   meta    JSON {"mime_type", "title", "language", "note", "metadata": {}, "page_count"}
   end     number of blocks, bytes of text (8 bytes each, little endian); only what ends so was read to the end
   or, in place of what would come next after hello:
   fail    the stable code of tbl/extract_causes.def; nothing follows */
#ifndef DMS_DOMAIN_FRAME_H
#define DMS_DOMAIN_FRAME_H

enum frame_kind { FRAME_HELLO = 'H', FRAME_BLOCK = 'B', FRAME_META = 'M', FRAME_END = 'E', FRAME_FAIL = 'F' };

enum {
    FRAME_VERSION = 1,
    FRAME_HEAD_BYTES = 5,
    FRAME_BLOCK_HEAD_BYTES = 6,
    FRAME_END_BYTES = 16,
    FRAME_META_MAX_BYTES = 256 << 10,
    FRAME_META_MAX_DEPTH = 8,
    FRAME_META_MAX_KEYS = 1000,
};

#endif
