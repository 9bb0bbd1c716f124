-- Into the trash: no list and no search shows it any more.
UPDATE document SET trashed_at = now(), revision = revision + 1, updated_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1 AND trashed_at IS NULL
RETURNING '' AS body, json_build_object('trashed_at', NULL)::text AS before, json_build_object('title', title, 'trashed_at', trashed_at)::text AS after
