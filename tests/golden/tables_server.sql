CREATE TABLE IF NOT EXISTS events (
    event_id String CODEC(LZ4),
    started_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    ended_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    own_trace_id String CODEC(ZSTD(1)),
    own_span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    tenant LowCardinality(String),
    project LowCardinality(String),
    api_key LowCardinality(String),
    end_user LowCardinality(String),
    cluster LowCardinality(String),
    database LowCardinality(String),
    gateway LowCardinality(String),
    route LowCardinality(String),
    pool LowCardinality(String),
    spill_reason LowCardinality(String),
    residency LowCardinality(String),
    resource LowCardinality(String),
    instance LowCardinality(String),
    region LowCardinality(String),
    network LowCardinality(String),
    call_path LowCardinality(String),
    caller LowCardinality(String),
    provider LowCardinality(String),
    requested_model LowCardinality(String),
    model LowCardinality(String),
    operation LowCardinality(String),
    response_id String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    attempt UInt16,
    outcome LowCardinality(String),
    status_code UInt16,
    stream Bool,
    ttft_ns Int64 CODEC(T64, ZSTD(1)),
    queue_ns Int64 CODEC(T64, ZSTD(1)),
    fresh Int64 CODEC(T64, ZSTD(1)),
    cached Int64 CODEC(T64, ZSTD(1)),
    written_5m Int64 CODEC(T64, ZSTD(1)),
    written_1h Int64 CODEC(T64, ZSTD(1)),
    output Int64 CODEC(T64, ZSTD(1)),
    reasoning Int64 CODEC(T64, ZSTD(1)),
    qualities LowCardinality(String),
    quality LowCardinality(String),
    role LowCardinality(String),
    dialect LowCardinality(String),
    rank UInt8,
    is_choice Bool,
    content_hash UInt64 CODEC(NONE),
    caveat LowCardinality(String),
    producer LowCardinality(String),
    sequence UInt64 CODEC(T64, ZSTD(1)),
    tier LowCardinality(String),
    other Map(LowCardinality(String), Int64) DEFAULT map(),
    other_quality Map(LowCardinality(String), LowCardinality(String)) DEFAULT map(),
    stored_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    earliest UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Nano(stored_at)) CODEC(Delta, ZSTD(1)),
    trace_id String ALIAS if(length(event_id) = 24, substring(event_id, 1, 16), own_trace_id),
    span_id String ALIAS if(length(event_id) = 24, substring(event_id, 17), own_span_id),
    call_id String ALIAS multiIf(
        response_id != '', concat('a call by its response id:', response_id),
        trace_id != '' AND span_id != '', concat(trace_id, span_id),
        event_id),
    link_key UInt64 ALIAS if(parent_span_id = '' OR trace_id = '', 0, bitShiftRight(xxHash64(concat(trace_id, parent_span_id)), 16)),
    event_key UInt64 DEFAULT bitShiftRight(xxHash64(event_id), 16) CODEC(T64, ZSTD(1)),
    call_key UInt64 DEFAULT bitShiftRight(xxHash64(call_id), 16) CODEC(T64, ZSTD(1)),
    INDEX by_stored_at stored_at TYPE minmax GRANULARITY 1,
    INDEX by_ended_at ended_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(earliest)
PARTITION BY toYYYYMMDD(ended_at)
ORDER BY (tenant, toStartOfHour(ended_at), ended_at, event_id, content_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, merge_selector_base = 16, min_bytes_for_wide_part = 268435456, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1, concurrent_part_removal_threshold = 1000000;

ALTER TABLE events ADD COLUMN IF NOT EXISTS tier LowCardinality(String);

ALTER TABLE events MODIFY COLUMN event_id String CODEC(LZ4);

ALTER TABLE events MODIFY COLUMN event_key UInt64 DEFAULT bitShiftRight(xxHash64(event_id), 16) CODEC(T64, ZSTD(1));

ALTER TABLE events MODIFY COLUMN call_key UInt64 DEFAULT bitShiftRight(xxHash64(call_id), 16) CODEC(T64, ZSTD(1));

CREATE TABLE IF NOT EXISTS sightings (
    key UInt64 CODEC(Delta, ZSTD(1)),
    hour DateTime('UTC') CODEC(ZSTD(1)),
    times UInt64 DEFAULT 1 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((times))
ORDER BY (key, hour)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, merge_selector_base = 16, index_granularity = 1024, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1, concurrent_part_removal_threshold = 1000000;

CREATE TABLE IF NOT EXISTS quarantine (
    key UInt64,
    reason String,
    service LowCardinality(String),
    scope LowCardinality(String),
    name LowCardinality(String),
    trace_id String,
    span_id String,
    ended_at UInt64,
    stored_at DateTime64(3, 'UTC'),
    earliest UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(stored_at))
)
ENGINE = ReplacingMergeTree(earliest)
ORDER BY key
TTL toDateTime(stored_at) + INTERVAL 400 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1, concurrent_part_removal_threshold = 1000000;

ALTER TABLE quarantine MODIFY TTL toDateTime(stored_at) + INTERVAL 400 DAY
SETTINGS materialize_ttl_after_modify = 0;

CREATE TABLE IF NOT EXISTS readings (
    signal LowCardinality(String),
    system LowCardinality(String),
    target LowCardinality(String),
    engine LowCardinality(String),
    role LowCardinality(String),
    gpu LowCardinality(String),
    node LowCardinality(String),
    model LowCardinality(String),
    pool LowCardinality(String),
    labels LowCardinality(String),
    series UInt64 CODEC(ZSTD(1)),
    at DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    started DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    value Float64 CODEC(Gorilla, ZSTD(1)),
    has_buckets Bool,
    bounds Array(Float64) CODEC(ZSTD(1)),
    counts Array(UInt64) CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMMDD(at)
ORDER BY (signal, system, target, engine, role, gpu, node, model, pool, labels, series, at)
TTL toDateTime64(at, 0) + INTERVAL 30 DAY DELETE
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, ttl_only_drop_parts = 1, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0, max_cleanup_delay_period = 1, concurrent_part_removal_threshold = 1000000;

ALTER TABLE readings MODIFY TTL toDateTime64(at, 0) + INTERVAL 30 DAY DELETE
SETTINGS materialize_ttl_after_modify = 0;
