-- depends: 0011.event-edits 0015.one-purchase-an-admission

-- What max_seats bounds: the seats of a person in all live reservations of the event, or of each reservation (RSV-005).
ALTER TABLE event_service.events
  ADD COLUMN max_seats_per text NOT NULL DEFAULT 'PERSON' CHECK (max_seats_per IN ('PERSON', 'RESERVATION'));
ALTER TABLE reservation_service.reservations
  ADD COLUMN person_limit int;                         -- NULL: the reservation counts alone, or is older than this rule
-- How often an admission has held seats.
CREATE INDEX reservations_admission ON reservation_service.reservations (admission) WHERE admission IS NOT NULL;
