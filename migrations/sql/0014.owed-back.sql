-- depends: 0006.payments 0013.seals-by-age

-- Money seen at PortOne for a payment that is FAILED, until it was given back. Such a payment is looked at every minute,
-- however old it is, and counted; the others only for a day, since nothing says that money ever comes for them.

ALTER TABLE payment_service.payments
  ADD COLUMN owed_since timestamptz,
  ADD CHECK (owed_since IS NULL OR status = 'FAILED');
CREATE INDEX payments_owed ON payment_service.payments (owed_since) WHERE owed_since IS NOT NULL;
CREATE INDEX refunds_payment ON payment_service.refunds (payment_id);

-- PortOne's answers hold what a buyer's browser wrote (orderName, customData): any text, U+0000 and half a surrogate pair
-- included, which jsonb refuses. json keeps them as they came.
ALTER TABLE payment_service.portone_answers ALTER COLUMN answer TYPE json;
