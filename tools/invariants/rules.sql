-- One rule a paragraph: its name behind `--:`, and a query for what breaks it, one row of text each. Parameters: now, and
-- settling, by when a payment must have ended. The numbers are architecture.md's invariants.

--: 1 a seat in two live reservations
SELECT format('seat %s of event %s: reservations %s', s.seat_id, s.event_id, string_agg(r.id::text, ', '))
  FROM reservation_service.reservation_seats s JOIN reservation_service.reservations r ON r.id = s.reservation_id
 WHERE r.status IN ('PENDING', 'CONFIRMED')
 GROUP BY s.event_id, s.seat_id HAVING count(*) > 1;

--: 1 a seat that is live though its reservation is not, or the reverse
SELECT format('seat %s of reservation %s, %s', s.seat_id, r.id, r.status)
  FROM reservation_service.reservation_seats s JOIN reservation_service.reservations r ON r.id = s.reservation_id
 WHERE s.live <> (r.status <> 'CANCELLED');

--: 1 a seat sold to others than its confirmed reservation
SELECT format('seat %s: SOLD to %s, confirmed for %s', s.id, s.claims, c.reservations)
  FROM event_service.seats s
  LEFT JOIN LATERAL (
    SELECT array_agg(r.id) AS reservations
      FROM reservation_service.reservation_seats rs JOIN reservation_service.reservations r ON r.id = rs.reservation_id
     WHERE rs.event_id = s.event_id AND rs.seat_id = s.id AND r.status = 'CONFIRMED') AS c ON true
 WHERE s.claims <> coalesce(c.reservations, '{}');

--: 1 a reservation whose sum is not that of its seats
SELECT format('reservation %s: %s won', r.id, r.total_amount)
  FROM reservation_service.reservations r
 WHERE r.total_amount <> (SELECT coalesce(sum(price), 0) FROM reservation_service.reservation_seats
                           WHERE reservation_id = r.id);

--: 2 a confirmed reservation without its payment
SELECT format('reservation %s', r.id)
  FROM reservation_service.reservations r
  LEFT JOIN payment_service.payments p
    ON p.id = r.payment_id AND p.reservation_id = r.id AND p.status = 'SUCCESS' AND p.amount = r.total_amount
 WHERE r.status = 'CONFIRMED' AND p.id IS NULL;

--: 2 a payment kept without its reservation
SELECT format('payment %s of reservation %s, %s', p.id, p.reservation_id, coalesce(r.status, 'unknown'))
  FROM payment_service.payments p LEFT JOIN reservation_service.reservations r ON r.id = p.reservation_id
 WHERE p.status = 'SUCCESS'
   AND (r.status = 'CONFIRMED' AND r.payment_id = p.id OR r.status = 'CANCELLED' AND r.fee = p.amount) IS NOT TRUE;

--: 2 a reservation paid more than once
SELECT format('reservation %s: payments %s', reservation_id, string_agg(id::text, ', '))
  FROM payment_service.payments WHERE status IN ('SUCCESS', 'REFUNDED')
 GROUP BY reservation_id HAVING count(*) > 1;

--: 2 a refund that is not what was due
SELECT format('payment %s: %s won given back, %s due', p.id, p.refunded_amount, r.refund_amount)
  FROM payment_service.payments p JOIN reservation_service.reservations r ON r.id = p.reservation_id
 WHERE p.status IN ('SUCCESS', 'REFUNDED') AND p.refunded_amount <> r.refund_amount;

--: 3 a message that is not published
SELECT format('message %s %s', message_id, event_type) FROM common.outbox_events WHERE published_at IS NULL;

--: 3 a dead letter
SELECT format('message %s %s: %s', message_id, event_type, headers ->> 'reason')
  FROM common.outbox_events WHERE topic LIKE 'dlq.%';

--: 3 a change told other than once
WITH told AS (SELECT aggregate_id, event_type, count(*) AS times FROM common.outbox_events GROUP BY 1, 2),
     due (id, event_type, least, most) AS (
  SELECT id, 'PaymentSuccess', (status IN ('SUCCESS', 'REFUNDED'))::int, (status IN ('SUCCESS', 'REFUNDED'))::int
    FROM payment_service.payments WHERE created_at > %(told_since)s
  UNION ALL
  SELECT id, 'PaymentFailed', (status = 'FAILED')::int, (status = 'FAILED')::int
    FROM payment_service.payments WHERE created_at > %(told_since)s
  UNION ALL
  SELECT p.id, 'PaymentRefunded', count(r.done_at), count(r.done_at)
    FROM payment_service.payments p LEFT JOIN payment_service.refunds r ON r.payment_id = p.id
   WHERE p.created_at > %(told_since)s GROUP BY p.id
  UNION ALL
  SELECT id, 'ReservationConfirmed', (confirmed_at IS NOT NULL)::int, (confirmed_at IS NOT NULL)::int
    FROM reservation_service.reservations WHERE created_at > %(told_since)s
  UNION ALL  -- for want of money, then with the money that came after all
  SELECT id, 'ReservationCancelled', (status = 'CANCELLED')::int, 2
    FROM reservation_service.reservations WHERE created_at > %(told_since)s)
SELECT format('%s %s: told %s times', due.event_type, due.id, coalesce(times, 0))
  FROM due LEFT JOIN told ON told.aggregate_id = due.id AND told.event_type = due.event_type
 WHERE coalesce(times, 0) NOT BETWEEN least AND most;

--: 4 a message that its reader has not applied
SELECT format('message %s %s, by %s', o.message_id, o.event_type, reader.name)
  FROM (VALUES ('reservations', 'PaymentSuccess'), ('reservations', 'PaymentFailed'), ('reservations', 'EventCancelled'),
               ('reservations', 'EventRescheduled'), ('events', 'ReservationConfirmed'),
               ('events', 'ReservationCancelled')) AS reader (name, event_type)
  JOIN common.outbox_events o ON o.event_type = reader.event_type
  LEFT JOIN common.processed_events p ON p.consumer = reader.name AND p.message_id = o.message_id
 WHERE p.message_id IS NULL;

--: 4 a refund asked for and not written down
SELECT format('message %s', o.message_id)
  FROM common.outbox_events o LEFT JOIN payment_service.refunds r ON r.id = o.message_id
 WHERE o.event_type = 'ReservationCancelled' AND r.id IS NULL
   AND (o.payload::jsonb -> 'payload' ->> 'refundAmount')::int > 0;

--: 7 a reservation PENDING past its hold
SELECT format('reservation %s', id) FROM reservation_service.reservations
 WHERE status = 'PENDING' AND hold_expires_at < %(now)s - interval '5 seconds';

--: 7 a payment PENDING past its settling time
SELECT format('payment %s', id) FROM payment_service.payments
 WHERE status = 'PENDING' AND created_at < %(now)s - %(settling)s::interval;

--: 7 a refund that is still due
SELECT format('refund %s of payment %s: %s', id, payment_id, last_error)
  FROM payment_service.refunds WHERE done_at IS NULL;

--: 7 a live reservation of a cancelled event
SELECT format('reservation %s', r.id)
  FROM reservation_service.reservations r JOIN event_service.events e ON e.id = r.event_id
 WHERE e.cancelled_at IS NOT NULL AND r.status = 'CONFIRMED';

--: 7 a cancelled event that is not seen through
SELECT format('event %s', event_id) FROM reservation_service.cancelled_events WHERE finished_at IS NULL;
