-- The text of a version, and what its file says about itself.
UPDATE document_version SET text = $3, extracted = $4::jsonb, mime_type = $5
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND document_id = $1::uuid AND version = $2::int
