-- A statement that was never sent before: other literals, another alias, another comment each time (for pgbench -f).
\set aid random(1, 100000)
\set one random(1, 2000000000)
\set two random(1, 2000000000)
SELECT /* :one */ a:two.abalance AS b:one FROM pgbench_accounts a:two WHERE a:two.aid = :aid AND :one <> -:two
