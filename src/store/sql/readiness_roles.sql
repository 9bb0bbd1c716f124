-- The roles that a membership can hold, and the permissions as the database has them. As the owner or the operators' role.
SELECT pg_get_constraintdef(c.oid) AS roles, coalesce((SELECT string_agg(p.name, ',' ORDER BY p.bit) FROM dms.permission p), '') AS permissions
FROM pg_constraint c WHERE c.conrelid = 'dms.membership'::regclass AND c.conname = 'membership_role_check'
