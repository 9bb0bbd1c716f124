-- For `dms admin tenants`, as the operators' role: every organisation with its size, oldest first.
SELECT t.tenant_id, t.name, t.plan, to_char(t.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
    (SELECT count(*) FROM membership m WHERE m.tenant_id = t.tenant_id AND m.removed_at IS NULL) AS members, coalesce(u.documents, 0) AS documents, coalesce(u.bytes, 0) AS bytes
FROM tenant t LEFT JOIN usage u ON u.tenant_id = t.tenant_id ORDER BY t.created_at, t.tenant_id
