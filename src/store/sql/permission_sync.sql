-- The permissions as this program has them: $1 names, $2 bits. As the owner, after the migrations. No tenant_id here: they are the same for all.
WITH want AS (SELECT * FROM unnest($1::text[], $2::int[]) w(name, bit)),
gone AS (DELETE FROM dms.permission p WHERE NOT EXISTS (SELECT FROM want w WHERE w.name = p.name))
INSERT INTO dms.permission AS p (name, bit) SELECT name, bit FROM want
ON CONFLICT (name) DO UPDATE SET bit = excluded.bit WHERE p.bit <> excluded.bit
