-- What a switch of organisation carries over: whether session $1 has a second factor, and since when its person is known.
SELECT s.second_factor, s.proved_at::text AS proved_at FROM session s
WHERE s.tenant_id = current_setting('app.tenant_id')::uuid AND s.id = $1 AND num_nulls(s.revoked_at) = 1 AND s.expires_at > now()
