-- One act, in the transaction of the act. Where a state before and one after are given, what both have alike is left out; what is longer than 16 KiB
-- then is told by its size and digest.
INSERT INTO audit (tenant_id, id, actor_type, actor_id, acting_for, action, outcome, object_type, object_id, ip, request_id, before, after)
SELECT current_setting('app.tenant_id')::uuid, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
    CASE WHEN octet_length(s.before::text) > 16384
         THEN jsonb_build_object('bytes', octet_length(s.before::text), 'sha256', encode(sha256(convert_to(s.before::text, 'UTF8')), 'hex')) ELSE s.before END,
    CASE WHEN octet_length(s.after::text) > 16384
         THEN jsonb_build_object('bytes', octet_length(s.after::text), 'sha256', encode(sha256(convert_to(s.after::text, 'UTF8')), 'hex')) ELSE s.after END
FROM (SELECT $11::jsonb AS before, $12::jsonb AS after) g CROSS JOIN LATERAL (
    SELECT g.before, g.after WHERE NOT coalesce(jsonb_typeof(g.before) = 'object' AND jsonb_typeof(g.after) = 'object', false)
    UNION ALL
    SELECT (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(g.before) e WHERE g.after -> e.key IS DISTINCT FROM e.value),
           (SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(g.after) e WHERE g.before -> e.key IS DISTINCT FROM e.value)
    WHERE jsonb_typeof(g.before) = 'object' AND jsonb_typeof(g.after) = 'object') s
