-- The passages of a document, with their vectors, before new ones come.
DELETE FROM chunk WHERE tenant_id = current_setting('app.tenant_id')::uuid AND document_id = $1::uuid
