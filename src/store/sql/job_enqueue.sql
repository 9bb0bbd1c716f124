-- A new job, its priority lowered by the tenant's backlog (domain/job.h), and for a document to be processed the line "queued".
WITH waiting AS (
    SELECT count(*) FILTER (WHERE l.state = 'queued') AS n
    FROM (SELECT state FROM job WHERE tenant_id = current_setting('app.tenant_id')::uuid
          ORDER BY created_at DESC, id DESC LIMIT $8::int) l
), made AS (
    INSERT INTO job (tenant_id, id, kind, queue, priority, published_at, document_id, version, traceparent)
    SELECT current_setting('app.tenant_id')::uuid, $1::uuid, $2, $3,
           least(9, $4::int + 3 * (w.n >= $9::int)::int + 3 * (w.n >= $10::int)::int), now(), $5::uuid, $6::int, $7
    FROM waiting w
    RETURNING id, kind, priority, document_id, version
), line AS (
    INSERT INTO job_event (tenant_id, document_id, version, job_id, step)
    SELECT current_setting('app.tenant_id')::uuid, m.document_id, m.version, m.id, 'queued'
    FROM made m WHERE m.kind = 'document.process' AND m.document_id IS NOT NULL
)
SELECT priority FROM made
