-- Whether the application can only add to the audit log, the trigger stands, and rows get their numbers: seconds that the oldest waits.
SELECT has_table_privilege('dms.audit', 'INSERT') AND NOT has_table_privilege('dms.audit', 'UPDATE, DELETE, TRUNCATE')
       AND NOT has_any_column_privilege('dms.audit', 'UPDATE') AND NOT has_table_privilege('dms.audit_chain', 'INSERT, UPDATE, DELETE, TRUNCATE')
       AND NOT has_table_privilege('dms.audit_open', 'INSERT, UPDATE, DELETE, TRUNCATE')
       AND NOT has_table_privilege('dms.audit_checkpoint', 'UPDATE, DELETE, TRUNCATE') AS append_only,
    EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = 'dms.audit'::regclass AND t.tgname = 'audit_opened' AND t.tgenabled IN ('O', 'A')) AS noted,
    audit_lag() AS lag
