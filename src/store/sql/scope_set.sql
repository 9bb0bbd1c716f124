-- Says who acts, until the end of the transaction: row level security and the statements read it.
SELECT set_config('app.tenant_id', $1, true), set_config('app.user_id', $2, true), set_config('app.level', $3, true)
