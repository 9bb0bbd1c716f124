-- One act, in the transaction of the act.
INSERT INTO audit (tenant_id, id, actor_type, actor_id, action, object_type, object_id, ip, request_id, before, after)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb)
