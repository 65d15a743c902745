-- Who connected, as the kernel and /proc know it.
ALTER TABLE operations
    ADD COLUMN IF NOT EXISTS `cgroup_id` UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS `thread` UInt32 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS `login_uid` UInt32 DEFAULT 4294967295 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS `exe_hash` LowCardinality(String),
    ADD COLUMN IF NOT EXISTS `exe_inode` UInt64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS `argv` LowCardinality(String),
    ADD COLUMN IF NOT EXISTS `parents` LowCardinality(String),
    ADD COLUMN IF NOT EXISTS `unit` LowCardinality(String),
    ADD COLUMN IF NOT EXISTS `container` LowCardinality(String);
