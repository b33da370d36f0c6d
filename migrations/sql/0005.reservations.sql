-- depends: 0001.roles-and-schemas

CREATE TABLE reservation_service.reservations (
  id              uuid PRIMARY KEY,
  user_id         uuid NOT NULL,
  event_id        uuid NOT NULL,
  event_title     text NOT NULL,                             -- as sold: what the ticket says
  event_starts_at timestamptz NOT NULL,
  status          text NOT NULL CHECK (status IN ('PENDING', 'CONFIRMED', 'CANCELLED')),
  cancel_reason   text CHECK (cancel_reason IN ('USER_REQUEST', 'PAYMENT_FAILED', 'HOLD_TIMEOUT', 'EVENT_CANCELLED')),
  total_amount    int NOT NULL CHECK (total_amount >= 0),    -- won
  hold_expires_at timestamptz NOT NULL,
  guarded_until   timestamptz NOT NULL,                      -- the latest a payment's approval may lengthen the hold to
  payment_started_at timestamptz,                            -- from here on the seats, and so the amount, are settled
  payment_id      uuid,
  ticket_number   text UNIQUE,
  created_at      timestamptz NOT NULL DEFAULT now(),
  confirmed_at    timestamptz,
  cancelled_at    timestamptz,
  fee             int NOT NULL DEFAULT 0 CHECK (fee BETWEEN 0 AND total_amount),            -- won, kept on cancelling
  refund_amount   int NOT NULL DEFAULT 0 CHECK (refund_amount BETWEEN 0 AND total_amount),  -- won, given back
  CHECK ((status = 'CANCELLED') = (cancelled_at IS NOT NULL)),
  CHECK ((status = 'CANCELLED') = (cancel_reason IS NOT NULL)),
  CHECK (status <> 'CONFIRMED' OR (confirmed_at IS NOT NULL AND ticket_number IS NOT NULL AND payment_id IS NOT NULL))
);
CREATE UNIQUE INDEX one_live_hold ON reservation_service.reservations (user_id, event_id) WHERE status = 'PENDING';
CREATE INDEX reservations_user ON reservation_service.reservations (user_id, created_at DESC, id);
CREATE INDEX reservations_expiry ON reservation_service.reservations (hold_expires_at) WHERE status = 'PENDING';

CREATE TABLE reservation_service.reservation_seats (
  reservation_id uuid NOT NULL REFERENCES reservation_service.reservations,
  event_id       uuid NOT NULL,
  seat_id        uuid NOT NULL,
  number         text NOT NULL,
  grade          text NOT NULL,
  price          int NOT NULL,                               -- won
  live           boolean NOT NULL DEFAULT true,              -- false once the reservation is CANCELLED
  PRIMARY KEY (reservation_id, seat_id)
);
-- The last word on overselling: whatever Redis remembers, a seat is in one live reservation (EVT-026).
CREATE UNIQUE INDEX one_live_reservation_a_seat ON reservation_service.reservation_seats (event_id, seat_id) WHERE live;
