-- A document's new title counts in the search of its passages.
UPDATE chunk SET tsv = dms.chunk_tsv($2, section, text) WHERE tenant_id = current_setting('app.tenant_id')::uuid AND document_id = $1
