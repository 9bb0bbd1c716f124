-- Takes back 0002_keyword. No text is lost: kw.doc is made from dms.chunk, and going up again rebuilds it.
DROP TRIGGER keyword_delete ON dms.chunk;
DROP TRIGGER keyword_update ON dms.chunk;
DROP TRIGGER keyword_insert ON dms.chunk;
DROP SCHEMA kw CASCADE;
DROP POLICY functions ON dms.chunk;
REVOKE SELECT ON dms.chunk FROM dms_search;
DROP FUNCTION dms.search_documents(jsonb);
DROP FUNCTION dms.query_codes(text);
DROP FUNCTION dms.query_any(text);
DROP FUNCTION dms.query_words(text);
DROP FUNCTION dms.chunk_tsv(text, text, text);
DROP FUNCTION dms.text_tsv(text);
DROP FUNCTION dms.text_codes(text);
DROP FUNCTION dms.text_spread(text);
