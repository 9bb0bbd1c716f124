-- Read and cut and embed again: the current version, from the start. num_nulls keeps a planner without statistics from an index of all live ones.
WITH old AS (
    SELECT o.tenant_id, o.id, o.status FROM document o WHERE o.tenant_id = current_setting('app.tenant_id')::uuid AND o.id = $1 AND num_nulls(o.trashed_at) = 1 FOR UPDATE)
UPDATE document d SET status = 'pending', processing_error = NULL, processing_note = NULL, revision = revision + 1, updated_at = now()
FROM old o WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.tenant_id = o.tenant_id AND d.id = o.id
RETURNING d.version, json_build_object('status', o.status)::text AS before
