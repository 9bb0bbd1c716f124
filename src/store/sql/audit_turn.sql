-- Whether nobody else goes through this tenant's whole log; held until the end of the transaction. waiting: rows that have no number yet.
SELECT pg_try_advisory_xact_lock(hashtextextended('dms.audit_turn|' || $1::text, 0)) AS mine,
    (SELECT count(*) FROM audit_open o WHERE o.tenant_id = current_setting('app.tenant_id')::uuid) AS waiting
