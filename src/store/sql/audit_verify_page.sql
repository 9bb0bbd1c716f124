-- Goes over the $3 links behind number $1, whose hash is $2: how many there are, the last one, and the first that does not hold.
WITH part AS (
    SELECT c.tenant_id, c.seq, c.audit_id, c.hash FROM audit_chain c
    WHERE c.tenant_id = current_setting('app.tenant_id')::uuid AND c.seq > $1::bigint ORDER BY c.seq LIMIT $3::int
), link AS (
    SELECT p.*, lag(p.seq, 1, $1::bigint) OVER w AS seq_before, lag(p.hash, 1, decode($2, 'hex')) OVER w AS hash_before FROM part p WINDOW w AS (ORDER BY p.seq)
), judged AS (
    SELECT l.seq, l.audit_id, l.hash,
        CASE WHEN l.seq <> l.seq_before + 1 THEN 'gap'
             WHEN a.entry IS NULL THEN 'missing'
             WHEN l.hash <> sha256(l.hash_before || convert_to(audit_record(a.entry, l.seq), 'UTF8')) THEN 'changed' END AS fault
    FROM link l LEFT JOIN LATERAL (SELECT e AS entry FROM audit e WHERE e.tenant_id = l.tenant_id AND e.id = l.audit_id OFFSET 0) a ON true
), bad AS (
    SELECT j.* FROM judged j WHERE j.fault IS NOT NULL ORDER BY j.seq LIMIT 1
)
SELECT (SELECT count(*) FROM judged) AS links, last.seq, encode(last.hash, 'hex') AS hash, bad.seq AS bad_seq, bad.audit_id AS bad_id, bad.fault
FROM (SELECT j.seq, j.hash FROM judged j ORDER BY j.seq DESC LIMIT 1) last LEFT JOIN bad ON true
