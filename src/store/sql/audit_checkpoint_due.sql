-- Heads that are to be signed, across tenants. No tenant_id here on purpose.
SELECT tenant_id, seq, encode(hash, 'hex') AS hash FROM audit_checkpoint_due(make_interval(secs => $1::int), $2::int)
