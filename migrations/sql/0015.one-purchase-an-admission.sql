-- depends: 0005.reservations 0014.owed-back

-- One admission from the waiting room is one purchase. The token that stands for it ends in Redis when its purchase is
-- confirmed, but a hold whose token was looked at just before is written just after: here the second one is refused.
ALTER TABLE reservation_service.reservations
  ADD COLUMN admission uuid;  -- of the qr_ token's secret, which cannot be had from it; NULL in older reservations
CREATE UNIQUE INDEX one_purchase_an_admission ON reservation_service.reservations (admission)
  WHERE status IN ('PENDING', 'CONFIRMED');
