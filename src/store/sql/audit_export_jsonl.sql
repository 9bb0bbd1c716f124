-- Lines of an export: the canonical record with the hash before and its own at the end. The $3 rows behind number $1, which is read for its hash alone,
-- up to number $2.
WITH part AS (
    SELECT c.tenant_id, c.seq, c.audit_id, c.hash FROM audit_chain c
    WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.seq >= $1::bigint AND c.seq <= $2::bigint ORDER BY c.seq LIMIT $3::int + 1
), link AS (
    SELECT p.*, lag(p.hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY p.seq) AS hash_before FROM part p)
SELECT string_agg(left(audit_record(a.entry, l.seq), -1) || ',"prev":"' || encode(l.hash_before, 'hex') || '","hash":"' || encode(l.hash, 'hex') || E'"}\n',
        '' ORDER BY l.seq) AS lines, max(l.seq) AS seq
FROM link l CROSS JOIN LATERAL (SELECT e AS entry FROM audit e WHERE e.tenant_id = l.tenant_id AND e.id = l.audit_id OFFSET 0) a
WHERE l.seq > $1::bigint
