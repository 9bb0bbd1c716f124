-- A folder, at the top or below $3, which has to be there for this person (place_below); deeper than the table allows fails its check.
INSERT INTO folder AS f (tenant_id, id, name, parent_id, depth, created_by)
VALUES (current_setting('app.tenant_id')::uuid, $1, $2, $3::uuid, 1, current_setting('app.user_id')::uuid)
RETURNING folder_json(f)::text AS body, f.revision AS etag
