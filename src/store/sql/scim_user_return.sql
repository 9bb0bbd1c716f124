-- A deactivated member is one again.
UPDATE membership SET removed_at = NULL WHERE tenant_id = current_setting('app.tenant_id')::uuid AND user_id = $1 AND removed_at IS NOT NULL
