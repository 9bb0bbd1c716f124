-- The caller's own ways to sign in by a provider.
SELECT json_build_object('items', coalesce(json_agg(json_build_object('id', i.id, 'provider', i.provider, 'email', i.email, 'created_at', i.created_at,
    'last_used_at', i.last_used_at) ORDER BY i.created_at, i.id), '[]')) AS body
FROM oidc_identities(current_setting('app.user_id')::uuid) i
