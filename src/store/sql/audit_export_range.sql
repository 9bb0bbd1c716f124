-- The part of the chain that covers a time: from the first to the last row of it; none: null.
SELECT min(c.seq) AS first, max(c.seq) AS last
FROM audit a JOIN audit_chain c ON c.tenant_id = a.tenant_id AND c.audit_id = a.id
WHERE a.tenant_id = current_setting('app.tenant_id')::uuid AND a.at >= coalesce($1::timestamptz, '-infinity') AND a.at < coalesce($2::timestamptz, 'infinity')
