-- The same for spreadsheets: every cell in quotes, and none that one would take for a formula.
WITH part AS (
    SELECT c.tenant_id, c.seq, c.audit_id, c.hash FROM audit_chain c
    WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.seq > $1::bigint AND c.seq <= $2::bigint ORDER BY c.seq LIMIT $3::int)
SELECT string_agg((
        SELECT string_agg('"' || CASE WHEN x.cell ~ U&'^[-=+@\0009\000D\FF1D\FF0B\FF0D\FF20]' THEN '''' ELSE '' END || replace(x.cell, '"', '""') || '"', ',' ORDER BY x.n)
        FROM unnest(ARRAY[p.seq::text, a.id::text, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.actor_type, coalesce(a.actor_id::text, ''),
            coalesce(a.acting_for::text, ''), a.action, a.outcome, a.object_type, coalesce(a.object_id::text, ''), coalesce(a.ip, ''), coalesce(a.request_id, ''),
            coalesce(a.before::text, ''), coalesce(a.after::text, ''), encode(p.hash, 'hex')]) WITH ORDINALITY x(cell, n)) || E'\r\n', '' ORDER BY p.seq) AS lines,
    max(p.seq) AS seq
FROM part p CROSS JOIN LATERAL (SELECT e.* FROM audit e WHERE e.tenant_id = p.tenant_id AND e.id = p.audit_id OFFSET 0) a
