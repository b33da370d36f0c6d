-- depends: 0001.roles-and-schemas

CREATE TABLE event_service.venues (
  id         uuid PRIMARY KEY,
  name       text NOT NULL,
  address    text NOT NULL,
  city       text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE event_service.halls (
  id            uuid PRIMARY KEY,
  venue_id      uuid NOT NULL REFERENCES event_service.venues,
  name          text NOT NULL,
  seat_template jsonb NOT NULL,
  capacity      int NOT NULL CHECK (capacity > 0),
  created_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (venue_id, id)                                      -- what an event refers to: a hall of that venue
);

CREATE TABLE event_service.events (
  id                   uuid PRIMARY KEY,
  title                text NOT NULL,
  artist               text NOT NULL,
  description          text NOT NULL DEFAULT '',
  venue_id             uuid NOT NULL,
  hall_id              uuid NOT NULL,
  starts_at            timestamptz NOT NULL,
  ends_at              timestamptz NOT NULL,
  sale_starts_at       timestamptz NOT NULL,
  sale_ends_at         timestamptz NOT NULL,
  prices               jsonb NOT NULL,                       -- grade → won
  admission_per_second int NOT NULL DEFAULT 10 CHECK (admission_per_second BETWEEN 1 AND 1000),
  queue_capacity       int NOT NULL DEFAULT 50000 CHECK (queue_capacity > 0),
  max_seats            int NOT NULL DEFAULT 4 CHECK (max_seats BETWEEN 1 AND 4),
  seat_count           int NOT NULL CHECK (seat_count > 0),  -- its seats are made with it and never more
  cancelled_at         timestamptz,
  created_at           timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (venue_id, hall_id) REFERENCES event_service.halls (venue_id, id),
  CHECK (starts_at < ends_at),
  CHECK (sale_starts_at < sale_ends_at AND sale_ends_at <= ends_at)
);
CREATE INDEX events_starts ON event_service.events (starts_at, id);
CREATE INDEX events_hall ON event_service.events (venue_id, hall_id);

CREATE TABLE event_service.seats (
  id       uuid PRIMARY KEY,
  event_id uuid NOT NULL REFERENCES event_service.events,
  number   text NOT NULL,                                    -- section-row-number: A-1-1
  position int NOT NULL,                                     -- order within the hall
  grade    text NOT NULL CHECK (grade IN ('VIP', 'S', 'A', 'B')),
  price    int NOT NULL CHECK (price >= 0),                  -- won
  claims   uuid[] NOT NULL DEFAULT '{}',                     -- reservations confirmed and not cancelled, as heard of
  sold_to  uuid GENERATED ALWAYS AS (claims[1]) STORED,      -- the reservation, while SOLD
  status   text NOT NULL GENERATED ALWAYS AS (CASE WHEN cardinality(claims) > 0 THEN 'SOLD' ELSE 'AVAILABLE' END) STORED,
  version  int NOT NULL DEFAULT 0,                           -- counts the seat's moves; a writer names the one it read
  UNIQUE (event_id, position)
);
-- Each answers its question from the index alone: which seats are sold, and how many are left of a grade.
CREATE INDEX seats_sold ON event_service.seats (event_id, id) WHERE status = 'SOLD';
CREATE INDEX seats_available ON event_service.seats (event_id, grade) WHERE status = 'AVAILABLE';
