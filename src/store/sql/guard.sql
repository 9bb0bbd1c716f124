-- The start-up guard: a row for each thing that lets the current role around row level security, worst first; only_strict: refused in
-- production only. System schemas and what belongs to extensions are left out.
WITH me AS (
    SELECT oid, rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user
), space AS (
    SELECT oid, nspname, nspacl, nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), tenant_table AS (
    SELECT c.oid, format('%I.%I', s.nspname, c.relname) AS name, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f')
      AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped)
), own_function AS (
    SELECT format('%I.%I', s.nspname, p.proname) AS name, p.proconfig, o.rolsuper OR o.rolbypassrls AS above, o.rolname
    FROM pg_proc p JOIN space s ON s.oid = p.pronamespace JOIN pg_roles o ON o.oid = p.proowner
    WHERE p.prosecdef AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
), server AS (
    SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS text
)
SELECT format('PostgreSQL %s is too old: 15 or newer is needed.', text) AS finding, false AS only_strict, 1 AS place FROM server WHERE version < 150000
UNION ALL
SELECT format('The database role %s is a superuser: row level security would not hold it. Use dms_app.', rolname), false, 2 FROM me WHERE rolsuper
UNION ALL
SELECT format('The database role %s has BYPASSRLS: row level security would not hold it. Use dms_app.', rolname), false, 3 FROM me WHERE rolbypassrls
UNION ALL
SELECT format('The database role %s may become %s, which row level security does not hold. Use dms_app.', me.rolname, r.rolname), false, 4
FROM me, pg_roles r
WHERE NOT me.rolsuper AND r.oid <> me.oid AND pg_has_role(me.oid, r.oid, 'MEMBER')
  AND (r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT FROM pg_class c JOIN space s ON s.oid = c.relnamespace WHERE c.relowner = r.oid))
UNION ALL
SELECT format('The database role %s owns %s: owners can switch row level security off. Use dms_app.', me.rolname, min(format('%I.%I', s.nspname, c.relname))), false, 5
FROM me, pg_class c JOIN space s ON s.oid = c.relnamespace WHERE c.relowner = me.oid GROUP BY me.rolname
UNION ALL
SELECT format('The database role %s may create objects in schema %s. Run migrations/bootstrap.sql again.', me.rolname, min(s.nspname)), false, 6
FROM me, space s WHERE NOT me.rolsuper AND has_schema_privilege(me.oid, s.oid, 'CREATE') GROUP BY me.rolname
UNION ALL
SELECT format('The database role %s may create schemas or temporary tables. Run migrations/bootstrap.sql again.', rolname), false, 7
FROM me WHERE NOT rolsuper AND has_database_privilege(oid, current_database(), 'CREATE, TEMPORARY')
UNION ALL
SELECT format('Row level security is not enabled and forced on %s.', name), false, 8 FROM tenant_table WHERE NOT (relrowsecurity AND relforcerowsecurity)
UNION ALL
SELECT format('Table %s has no row level security policy.', name), false, 9
FROM tenant_table t WHERE NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = t.oid)
UNION ALL
SELECT format('Policy %I on %s opens it to %s without looking at the tenant.', p.polname, t.name, me.rolname), false, 10
FROM me, pg_policy p JOIN tenant_table t ON t.oid = p.polrelid
WHERE p.polpermissive AND (0 = ANY (p.polroles) OR EXISTS (SELECT FROM unnest(p.polroles) r WHERE pg_has_role(me.oid, r, 'MEMBER')))
  AND NOT me.rolsuper
  AND (coalesce(pg_get_expr(p.polqual, p.polrelid), 'app.tenant_id') !~ 'app\.tenant_id'
       OR coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'app.tenant_id') !~ 'app\.tenant_id')
UNION ALL
SELECT format('View %I.%I runs with its owner''s rights: it needs security_invoker.', s.nspname, c.relname), false, 11
FROM me, pg_class c JOIN space s ON s.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND has_table_privilege(me.oid, c.oid, 'SELECT')
  AND NOT (c.relkind = 'v' AND coalesce('security_invoker=true' = ANY (c.reloptions) OR 'security_invoker=on' = ANY (c.reloptions), false))
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT format('Function %s runs as %s, which row level security does not hold.', name, rolname), false, 12 FROM own_function WHERE above
UNION ALL
SELECT format('Function %s runs with its owner''s rights and does not fix its search_path.', name), false, 13
FROM own_function WHERE NOT coalesce(array_to_string(proconfig, ',') ~ '(^|,)search_path=', false)
UNION ALL
SELECT format('PostgreSQL %s has known holes in row level security. Update it to its newest minor version.', text), true, 14 FROM server
WHERE version < CASE version / 10000 WHEN 15 THEN 150014 WHEN 16 THEN 160010 WHEN 17 THEN 170006 ELSE 0 END
ORDER BY place, finding
