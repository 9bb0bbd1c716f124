-- 0016_json: the outside shape of an audit row and of a job, each in one place; whose an API key is. Runs as dms_owner in one transaction.
SET LOCAL search_path = dms, ext;

-- hash: null until the row is sealed.
CREATE FUNCTION audit_json(a audit) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', a.id, 'at', a.at,
        'actor', json_build_object('type', a.actor_type, 'id', a.actor_id, 'name', CASE a.actor_type
            WHEN 'user' THEN (SELECT m.name FROM dms.membership m WHERE m.tenant_id = a.tenant_id AND m.user_id = a.actor_id)
            WHEN 'api_key' THEN (SELECT k.name FROM dms.api_key k WHERE k.tenant_id = a.tenant_id AND k.id = a.actor_id) END, 'acting_for', a.acting_for),
        'action', a.action, 'outcome', a.outcome, 'object', json_build_object('type', a.object_type, 'id', a.object_id), 'ip', a.ip,
        'request_id', a.request_id, 'before', a.before, 'after', a.after,
        'hash', (SELECT encode(c.hash, 'hex') FROM dms.audit_chain c WHERE c.tenant_id = a.tenant_id AND c.audit_id = a.id))
$$;

CREATE FUNCTION job_json(j job) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', j.id, 'kind', j.kind, 'queue', j.queue, 'state', j.state, 'attempts', j.attempts,
        'document_id', j.document_id, 'version', j.version, 'error', j.error, 'created_at', j.created_at, 'run_at', j.run_at,
        'started_at', j.started_at, 'finished_at', j.finished_at)
$$;

GRANT EXECUTE ON FUNCTION audit_json(audit), job_json(job) TO dms_app;

CREATE OR REPLACE FUNCTION api_key_json(k api_key) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', k.id, 'name', k.name, 'type', k.kind, 'prefix', k.prefix, 'scopes', k.scopes, 'allowed_ips', k.allowed_ips,
        'state', CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired' WHEN k.replaced_by IS NOT NULL THEN 'retiring'
                      ELSE 'active' END,
        'replaced_by', k.replaced_by, 'user_id', k.user_id, 'created_at', k.created_at, 'expires_at', k.expires_at, 'last_used_at', k.last_used_at)
$$;
