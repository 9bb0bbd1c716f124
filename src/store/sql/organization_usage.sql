-- What the organization uses of its plan.
SELECT t.plan, u.documents, u.bytes,
    (SELECT count(*) FROM (SELECT 1 FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.removed_at IS NULL LIMIT 10000) m) AS members
FROM tenant t JOIN usage u ON u.tenant_id = t.tenant_id WHERE t.tenant_id = current_setting('app.tenant_id')::uuid
