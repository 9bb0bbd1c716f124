-- The folders below $1 (null: at the top), by name. Two statements in one, because IS NOT DISTINCT FROM cannot enter the index folder_name.
SELECT coalesce(json_agg(json_build_object('id', f.id, 'name', f.name, 'parent_id', f.parent_id, 'created_at', f.created_at, 'updated_at', f.updated_at)
           ORDER BY f.name), '[]') AS items, NULL::text AS next_key, NULL::bigint AS total
FROM ((SELECT * FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND parent_id = $1::uuid ORDER BY name LIMIT 1000)
      UNION ALL
      (SELECT * FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND parent_id IS NULL AND $1 IS NULL ORDER BY name LIMIT 1000)) f
