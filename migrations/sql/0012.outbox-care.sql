-- depends: 0002.outbox

-- A record the broker refused waits until then, and the later ones of its key and topic with it. NULL: at once.
ALTER TABLE common.outbox_events ADD COLUMN retry_at timestamptz;
CREATE INDEX outbox_held ON common.outbox_events (shard) WHERE published_at IS NULL AND retry_at IS NOT NULL;

-- What retention deletes, oldest first, without reading what it keeps.
CREATE INDEX outbox_published ON common.outbox_events (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX processed_by_time ON common.processed_events (processed_at);

-- How often a consumer failed at a record by a fault of ours.
CREATE TABLE common.failed_attempts (
  origin     text PRIMARY KEY, -- consumer/topic/partition/offset/checksum, as in outbox_events
  attempts   int NOT NULL,
  last_error text NOT NULL,
  failed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX failed_attempts_by_time ON common.failed_attempts (failed_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON common.failed_attempts TO event_service, reservation_service, payment_service;

GRANT UPDATE (retry_at) ON common.outbox_events TO relay;
GRANT INSERT ON common.outbox_events TO relay; -- redrive puts dead letters back through the outbox
GRANT SELECT, DELETE ON common.processed_events, common.failed_attempts TO relay;

-- A mark that Postgres loses with its power makes a record published twice, which it may be at any time.
ALTER ROLE relay SET synchronous_commit = off;

-- Every row is inserted, updated once and deleted: vacuum by numbers and not by shares of a table that only grows.
ALTER TABLE common.outbox_events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
ALTER TABLE common.processed_events SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
