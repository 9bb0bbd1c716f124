-- The signed heads between two numbers of the chain, and the hash that stands there now (null: nothing does).
SELECT k.seq, encode(k.hash, 'hex') AS hash, to_char(k.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, k.kid,
    encode(k.signature, 'hex') AS signature, encode(c.hash, 'hex') AS there
FROM audit_checkpoint k LEFT JOIN audit_chain c ON c.tenant_id = k.tenant_id AND c.seq = k.seq
WHERE k.tenant_id = current_setting('app.tenant_id')::uuid AND k.seq >= $1 AND k.seq <= $2 ORDER BY k.seq
