-- What stands against inviting the address $1: it is a member's, how many are open, how many went to it within the hour. Counts stop at $2.
SELECT EXISTS (SELECT FROM membership m WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.email = $1
                   AND num_nulls(m.removed_at) = 1) AS member,
    (SELECT count(*) FROM (SELECT FROM invitation i WHERE i.tenant_id = current_setting('app.tenant_id')::uuid
         AND i.accepted_at IS NULL AND i.revoked_at IS NULL LIMIT $2::int) i) AS open,
    (SELECT count(*) FROM (SELECT FROM invitation i WHERE i.tenant_id = current_setting('app.tenant_id')::uuid
         AND i.email = $1 AND i.created_at > now() - interval '1 hour' LIMIT $2::int) i) AS lately
