-- depends: 0001.roles-and-schemas

-- Messages waiting to be published. The id is drawn after the aggregate's row lock: its order is the aggregate's order.
CREATE TABLE common.outbox_events (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message_id     uuid NOT NULL UNIQUE,
  topic          text NOT NULL,
  partition_key  text NOT NULL,
  shard          smallint NOT NULL,
  aggregate_type text NOT NULL,
  aggregate_id   uuid,
  event_type     text NOT NULL,
  payload        text NOT NULL,
  headers        jsonb NOT NULL DEFAULT '{}',
  origin         text UNIQUE,              -- of a dead letter: the record it was, so that it is buried once
  created_at     timestamptz NOT NULL DEFAULT now(),
  published_at   timestamptz,
  retry_count    int NOT NULL DEFAULT 0,
  last_error     text
);
CREATE INDEX outbox_unpublished ON common.outbox_events (shard, id) WHERE published_at IS NULL;

-- Which consumer has applied which message; written in the transaction of the effect.
CREATE TABLE common.processed_events (
  consumer     text NOT NULL,
  message_id   uuid NOT NULL,
  processed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, message_id)
);

GRANT INSERT ON common.outbox_events, common.processed_events TO event_service, reservation_service, payment_service;
-- ON CONFLICT reads the columns it arbitrates on.
GRANT SELECT (origin) ON common.outbox_events TO event_service, reservation_service, payment_service;
GRANT SELECT (consumer, message_id) ON common.processed_events TO event_service, reservation_service, payment_service;
GRANT SELECT, UPDATE (published_at, retry_count, last_error, topic, headers), DELETE ON common.outbox_events TO relay;
