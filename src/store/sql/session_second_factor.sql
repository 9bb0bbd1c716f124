-- Session $1 has a second factor from now on, or none.
UPDATE session SET second_factor = $2::boolean WHERE tenant_id = current_setting('app.tenant_id')::uuid AND id = $1
