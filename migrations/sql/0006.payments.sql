-- depends: 0001.roles-and-schemas

CREATE TABLE payment_service.payments (
  id                     uuid PRIMARY KEY,                   -- also PortOne's payment id
  payment_key            text NOT NULL UNIQUE,               -- the client's idempotency key (PAY-004)
  reservation_id         uuid NOT NULL,
  event_id               uuid NOT NULL,
  user_id                uuid NOT NULL,
  order_name             text NOT NULL,
  amount                 int NOT NULL CHECK (amount >= 0),   -- won, from the reservation
  method                 text NOT NULL CHECK (method = 'CARD'),
  status                 text NOT NULL CHECK (status IN ('PENDING', 'SUCCESS', 'FAILED', 'REFUNDED')),
  portone_transaction_id text,
  failure_reason         text,
  refunded_amount        int NOT NULL DEFAULT 0 CHECK (refunded_amount BETWEEN 0 AND amount),
  preregistered_at       timestamptz,                        -- PortOne knows the amount (PAY-007)
  paid_at                timestamptz,
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now(),
  CHECK (status NOT IN ('SUCCESS', 'REFUNDED') OR paid_at IS NOT NULL),
  CHECK ((status = 'FAILED') = (failure_reason IS NOT NULL))
);
-- A reservation is paid at most once.
CREATE UNIQUE INDEX one_payment_a_reservation ON payment_service.payments (reservation_id) WHERE status <> 'FAILED';
CREATE INDEX payments_user ON payment_service.payments (user_id, created_at DESC, id);
CREATE INDEX payments_pending ON payment_service.payments (created_at) WHERE status = 'PENDING';
CREATE INDEX payments_failed ON payment_service.payments (created_at) WHERE status = 'FAILED';

-- Every answer of PortOne's, whole, for seven years.
CREATE TABLE payment_service.portone_answers (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  payment_id uuid NOT NULL,
  call       text NOT NULL,
  status     int NOT NULL,
  answer     jsonb NOT NULL,
  at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX portone_answers_payment ON payment_service.portone_answers (payment_id);

-- Money to be given back: written with the message that asks for it, DUE until PortOne has said yes.
CREATE TABLE payment_service.refunds (
  id         uuid PRIMARY KEY,                               -- the message's id: one refund a message
  payment_id uuid NOT NULL REFERENCES payment_service.payments,
  amount     int NOT NULL CHECK (amount > 0),                -- won
  reason     text NOT NULL,
  attempts   int NOT NULL DEFAULT 0,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at    timestamptz
);
CREATE INDEX refunds_due ON payment_service.refunds (created_at) WHERE done_at IS NULL;
