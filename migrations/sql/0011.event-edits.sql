-- depends: 0004.events 0005.reservations 0006.payments

-- Edits: a version that counts them (what If-Match names), and what is deleted stays, out of sight, for who refers to it.
ALTER TABLE event_service.venues
  ADD COLUMN version    int NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz;
ALTER TABLE event_service.halls
  ADD COLUMN version    int NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at timestamptz;

-- The pieces words are looked up by: every letter and every two that stand together, in lower case. Korean has no
-- stemmer here and pg_trgm sees no Hangul under the C locale, nor any word of two syllables under another.
CREATE FUNCTION event_service.grams(words text) RETURNS text[]
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN ARRAY(
    SELECT DISTINCT gram
      FROM generate_series(1, length(words)) AS place, generate_series(1, 2) AS size,
           substr(lower(words), place, size) AS gram
     WHERE length(gram) = size AND gram !~ '[[:space:]]'
  );

ALTER TABLE event_service.events
  ADD COLUMN version        int NOT NULL DEFAULT 1,
  ADD COLUMN deleted_at     timestamptz,
  ADD COLUMN cancel_reason  text,
  ADD COLUMN seat_template  jsonb,                     -- the hall's, as its seats were made from it
  ADD COLUMN layout_version int NOT NULL DEFAULT 1,    -- counts the times its seats were made anew or priced anew
  ADD COLUMN seats_version  bigint NOT NULL DEFAULT 0, -- counts the moves of its seats, which take turns on it
  ADD COLUMN grams          text[] GENERATED ALWAYS AS (event_service.grams(title || ' ' || artist)) STORED,
  ADD COLUMN stems          tsvector GENERATED ALWAYS AS (to_tsvector('english', title || ' ' || artist)) STORED;
UPDATE event_service.events SET seat_template = halls.seat_template
  FROM event_service.halls WHERE halls.id = events.hall_id;
ALTER TABLE event_service.events ALTER COLUMN seat_template SET NOT NULL;

-- A list in each of its orders, found by words, by place, by time.
DROP INDEX event_service.events_starts;
CREATE INDEX events_starts ON event_service.events (starts_at, id) WHERE deleted_at IS NULL;
CREATE INDEX events_sale_starts ON event_service.events (sale_starts_at, id) WHERE deleted_at IS NULL;
CREATE INDEX events_title ON event_service.events (title, id) WHERE deleted_at IS NULL;
CREATE INDEX events_ends ON event_service.events (ends_at) WHERE deleted_at IS NULL;
-- No list of what is pending: events are written seldom and searched often.
CREATE INDEX events_grams ON event_service.events USING gin (grams) WITH (fastupdate = off) WHERE deleted_at IS NULL;
CREATE INDEX events_stems ON event_service.events USING gin (stems) WITH (fastupdate = off) WHERE deleted_at IS NULL;
CREATE INDEX venues_city ON event_service.venues (city, name, id) WHERE deleted_at IS NULL;
CREATE INDEX venues_name ON event_service.venues (name, id) WHERE deleted_at IS NULL;
-- The bitmap of what is sold, from the index alone.
CREATE INDEX seats_sold_positions ON event_service.seats (event_id, position) WHERE status = 'SOLD';

-- An event that was called off, as reservations heard of it: done when no reservation of it is live any more.
CREATE TABLE reservation_service.cancelled_events (
  event_id     uuid PRIMARY KEY,
  cancelled_at timestamptz NOT NULL,
  finished_at  timestamptz
);
CREATE INDEX cancelled_events_unfinished ON reservation_service.cancelled_events (cancelled_at) WHERE finished_at IS NULL;

ALTER TABLE reservation_service.reservations
  ADD COLUMN rescheduled_at timestamptz;               -- the show was moved after it was booked: its refund is free
CREATE INDEX reservations_event ON reservation_service.reservations (event_id, status, id);

CREATE INDEX payments_event ON payment_service.payments (event_id);
