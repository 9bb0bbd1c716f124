-- Changes what is not null.
UPDATE role SET name = coalesce($2, name), description = coalesce($3, description), revision = revision + 1, updated_at = now()
WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1
