-- About how many passages the tenant has.
SELECT kw.passage_count() AS passages
