-- Links and counts that no longer matter.
SELECT account_expire() AS gone
