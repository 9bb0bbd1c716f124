-- For `dms admin users`, as the operators' role: every membership, by organisation; of one that ended the role is `removed`. $1: only the organisation of that name or id; '' all.
SELECT m.user_id, m.email, m.name, CASE WHEN m.removed_at IS NULL THEN coalesce(r.name, m.role) ELSE 'removed' END AS role, m.tenant_id, t.name AS organization,
    to_char(m.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at
FROM membership m JOIN tenant t ON t.tenant_id = m.tenant_id LEFT JOIN role r ON r.tenant_id = m.tenant_id AND r.id = m.role_id
WHERE $1 = '' OR t.name = $1 OR t.tenant_id::text = $1
ORDER BY t.created_at, t.tenant_id, m.created_at, m.user_id
