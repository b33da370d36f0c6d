-- depends: 0005.reservations

-- Accounts that are being withdrawn: no seats are held for them until the withdrawal has had its time (AUTH-018, ADR 0102).
CREATE TABLE reservation_service.closing_accounts (
  user_id uuid PRIMARY KEY,
  until   timestamptz NOT NULL
);
