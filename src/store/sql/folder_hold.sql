-- A folder into which another one is moved: not for whoever may not change it, and as it is until the end of the transaction.
SELECT f.id FROM folder f WHERE f.tenant_id = current_setting('app.tenant_id')::uuid AND f.id = $1 FOR SHARE
