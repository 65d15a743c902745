-- One row per operation. Ordered for the common question: what did this agent do at that time?
CREATE TABLE IF NOT EXISTS operations
(
    `id` UUID CODEC(ZSTD(1)),
    `time` DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `host` LowCardinality(String),
    `agent` LowCardinality(String),
    `cgroup` LowCardinality(String),
    `pid` UInt32 CODEC(ZSTD(1)),
    `uid` UInt32 CODEC(ZSTD(1)),
    `exe` LowCardinality(String),
    `task` LowCardinality(String),
    `session` UUID CODEC(ZSTD(1)),
    `sequence` UInt64 CODEC(T64, ZSTD(1)),
    `target` LowCardinality(String),
    `destination` IPv6 CODEC(ZSTD(1)),
    `destination_port` UInt16 CODEC(ZSTD(1)),
    `boundary` Enum8('transparent' = 1, 'explicit' = 2),
    `protocol` LowCardinality(String),
    `user` LowCardinality(String),
    `database` LowCardinality(String),
    `action` Enum8('connect' = 1, 'read' = 2, 'execute' = 3, 'write' = 4, 'delete' = 5, 'define' = 6, 'admin' = 7, 'unknown' = 8),
    `verb` LowCardinality(String),
    `resources` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `statement` String CODEC(ZSTD(3)),
    `statement_bytes` UInt64 CODEC(T64, ZSTD(1)),
    `fingerprint` UInt64 CODEC(ZSTD(1)),
    `binds` Array(Nullable(String)) CODEC(ZSTD(3)),
    `certainty` Enum8('exact' = 1, 'partial' = 2, 'opaque' = 3),
    `verdict` Enum8('forward' = 1, 'deny' = 2),
    `policies` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `reason` LowCardinality(String),
    `decision_ns` UInt64 CODEC(T64, ZSTD(1)),
    `end` Enum8('done' = 1, 'failed' = 2, 'refused' = 3, 'interrupted' = 4),
    `rows` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_in` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_out` UInt64 CODEC(T64, ZSTD(1)),
    `target_us` UInt64 CODEC(T64, ZSTD(1)),
    `error_code` LowCardinality(String),
    `error` String CODEC(ZSTD(3)),
    INDEX statement_ngrams lower(statement) TYPE ngrambf_v1(4, 32768, 3, 0) GRANULARITY 1,
    INDEX session_bloom session TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX resources_bloom resources TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMMDD(time)
ORDER BY (agent, time)
SETTINGS non_replicated_deduplication_window = 10000;
