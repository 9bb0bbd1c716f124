-- The Owners, at most 50: whom mails about the whole organization go to, and whether one of them is the last.
SELECT m.user_id, m.name, m.email FROM membership m
WHERE m.tenant_id = current_setting('app.tenant_id')::uuid AND m.role = 'Owner' AND m.removed_at IS NULL ORDER BY m.user_id LIMIT 50
