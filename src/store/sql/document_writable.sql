-- Whether the person may change the document; held until the end of the transaction.
SELECT 1 AS one FROM document d WHERE d.tenant_id = current_setting('app.tenant_id')::uuid AND d.id = $1 FOR UPDATE
