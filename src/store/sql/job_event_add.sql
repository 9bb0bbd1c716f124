-- One line of a document's timeline.
INSERT INTO job_event (tenant_id, document_id, version, job_id, attempt, step, detail, at)
VALUES (current_setting('app.tenant_id')::uuid, $1::uuid, $2::int, $3::uuid, $4::int, $5, coalesce($6::jsonb, '{}'),
        coalesce(to_timestamp($7::double precision / 1000000), clock_timestamp()))
