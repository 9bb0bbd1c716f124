-- Takes the deletion back, as long as its time has not come: from then on the worker may be at it. The clock, not the transaction's start, which
-- may have waited.
UPDATE tenant t SET deletes_at = NULL, revision = t.revision + 1
WHERE t.tenant_id = current_setting('app.tenant_id')::uuid AND t.deletes_at > clock_timestamp()
RETURNING json_build_object('id', t.tenant_id, 'name', t.name, 'plan', t.plan, 'require_mfa', t.require_mfa, 'created_at', t.created_at,
              'deletes_at', t.deletes_at)::text AS body, t.revision AS etag
