-- The folders below $1 (null: at the top), by name. One statement for each, because IS NOT DISTINCT FROM cannot enter the index folder_name. At the
-- top for somebody are also those that a grant opens below one that is not seen; who may see everything has none of them.
SELECT coalesce(json_agg(folder_json(f) ORDER BY f.name, f.id), '[]') AS items, NULL::text AS next_key, NULL::bigint AS total
FROM ((SELECT * FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND parent_id = $1::uuid ORDER BY name LIMIT 1000)
      UNION ALL
      (SELECT * FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND parent_id IS NULL AND $1 IS NULL ORDER BY name LIMIT 1000)
      UNION ALL
      (SELECT b.* FROM (SELECT lower(r) AS id FROM unnest(CASE WHEN $1 IS NULL THEN my_acls(1) END) r OFFSET 0) a
       CROSS JOIN LATERAL (SELECT * FROM folder WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = a.id LIMIT 1) b
       WHERE b.parent_id IS NOT NULL AND shown_folder(b.parent_id) IS NULL LIMIT 1000)) f
