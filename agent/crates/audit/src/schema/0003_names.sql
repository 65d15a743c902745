-- By which names the agent knew where it connected to, and what of the boundary was missing.
ALTER TABLE operations
    ADD COLUMN IF NOT EXISTS `destination_name` LowCardinality(String),
    ADD COLUMN IF NOT EXISTS `degraded` LowCardinality(String);
