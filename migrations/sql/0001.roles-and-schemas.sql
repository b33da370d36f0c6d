-- A schema and a login per service; nobody sees another's (docs/requirements.md, Data).
-- Passwords are set apart from here, out of Secrets Manager: see migrations/__main__.py.
-- Roles belong to the whole server, schemas to one database: a second database finds the roles there.
DO $$
DECLARE
  service text;
BEGIN
  FOREACH service IN ARRAY ARRAY['user_service', 'event_service', 'reservation_service', 'payment_service', 'relay', 'health'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
      EXECUTE format('CREATE ROLE %I LOGIN', service);
    END IF;
    -- By role rather than by SET, which would pin RDS Proxy's connection.
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', service, '10s');
    EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', service, '3s');
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', service, '15s');
  END LOOP;
  FOREACH service IN ARRAY ARRAY['user_service', 'event_service', 'reservation_service', 'payment_service'] LOOP
    EXECUTE format('CREATE SCHEMA %I', service);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, service);
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', service, service);
  END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA common;
GRANT USAGE ON SCHEMA common TO event_service, reservation_service, payment_service, relay;
