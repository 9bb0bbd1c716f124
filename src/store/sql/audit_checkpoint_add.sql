-- A signed head; another worker may have been quicker.
INSERT INTO audit_checkpoint (tenant_id, seq, hash, at, kid, signature)
VALUES (current_setting('app.tenant_id')::uuid, $1, decode($2, 'hex'), $3::timestamptz, $4, decode($5, 'hex')) ON CONFLICT DO NOTHING
