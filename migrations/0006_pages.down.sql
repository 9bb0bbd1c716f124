-- 0006_pages, back: those lists read everything again.
SET LOCAL search_path = dms, ext;
DROP INDEX api_key_by_time;
DROP INDEX job_by_state;
