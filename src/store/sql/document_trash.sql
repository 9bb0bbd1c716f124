-- Into the trash: no list and no search shows it any more. num_nulls keeps a planner without statistics from an index of all live ones.
UPDATE document SET trashed_at = now(), revision = revision + 1, updated_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND num_nulls(trashed_at) = 1
RETURNING '' AS body, json_build_object('trashed_at', NULL)::text AS before, json_build_object('title', title, 'trashed_at', trashed_at)::text AS after
