-- The way back from 0004_embed_missing.
SET LOCAL search_path = dms, ext;
DROP FUNCTION embed_missing(text, uuid[]);
DROP POLICY embed_missing ON document;
DROP POLICY embed_missing ON embedding;
REVOKE SELECT ON document, embedding FROM dms_search;
REVOKE INSERT ON job FROM dms_search;
