-- Until the end of the transaction nobody else migrates; another replica waits here. The number is ours alone.
SELECT pg_advisory_xact_lock(4461768116)
