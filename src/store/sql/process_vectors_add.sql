-- Vectors of passages; what is there already, or gone meanwhile, is left alone.
INSERT INTO embedding (tenant_id, model, chunk_id, document_id, v)
SELECT c.tenant_id, $2, c.id, c.document_id, u.v::halfvec
FROM unnest($3::uuid[], $4::text[]) u(id, v)
JOIN chunk c ON c.tenant_id = current_setting('app.tenant_id')::uuid AND c.id = u.id AND c.document_id = $1::uuid
ON CONFLICT DO NOTHING
