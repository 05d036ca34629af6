-- Roles, created where they are missing (they belong to the whole cluster, so another of its
-- databases may have made them), and what each may do in this database:
--
--   ingestd_owner    owns the tables and may change them; nobody logs in as it.  A member of it
--                    (GRANT ingestd_owner TO …) applies later files.
--   ingestd          the daemon, with the least that works: it cannot delete a vehicle, nor read
--                    a user, a key or a conversation.  It has no password until you give it one.
--   ingestd_reader   reads vehicles, dealerships and the books; grant it to people.
--
-- Whoever may not create roles gets a notice, and everything works as the tables' owner; create
-- them later and apply this file again: nothing in it minds being repeated.
--
-- In a database that the platform made, nothing is granted on the platform's tables:
-- docs/schema.md has the statements.

DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES ('ingestd_owner', 'NOLOGIN'), ('ingestd', 'LOGIN'),
                              ('ingestd_reader', 'NOLOGIN')) AS roles (name, options)
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = roles.name)
    LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.options);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database of the cluster was faster
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % is missing and % may not create it: ingestd will work as the'
                             ' owner of its tables', wanted.name, current_user;
        END;
    END LOOP;
END
$roles$;

DO $owner$
DECLARE
    thing record;
BEGIN
    IF to_regrole('ingestd_owner') IS NULL THEN
        RETURN;
    END IF;
    -- USAGE and not MEMBER: since PostgreSQL 16 who creates a role is its member in name only.
    IF NOT pg_has_role(current_user, 'ingestd_owner', 'USAGE') THEN
        EXECUTE format('GRANT ingestd_owner TO %I', current_user);
    END IF;
    EXECUTE 'GRANT USAGE, CREATE ON SCHEMA ingest TO ingestd_owner';
    FOR thing IN
        SELECT format('%I.%I', n.nspname, c.relname) AS name
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'ingest' AND c.relkind IN ('r', 'p')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO ingestd_owner', thing.name);
    END LOOP;
    IF EXISTS (SELECT FROM ingest.schema_files WHERE number = 2) THEN
        EXECUTE 'GRANT USAGE, CREATE ON SCHEMA public TO ingestd_owner';
        FOR thing IN
            SELECT unnest(ARRAY['users', 'dealerships', 'vehicles', 'conversations', 'messages',
                                'personas', 'api_keys', 'prompt_variants', 'prompt_metrics',
                                'prompt_experiments', 'experiment_variants']) AS name
        LOOP
            EXECUTE format('ALTER TABLE public.%I OWNER TO ingestd_owner', thing.name);
        END LOOP;
        EXECUTE 'ALTER TYPE public.conversation_status OWNER TO ingestd_owner';
        EXECUTE 'ALTER FUNCTION public.vehicle_search(public.vehicles) OWNER TO ingestd_owner';
    END IF;
    EXECUTE 'ALTER SCHEMA ingest OWNER TO ingestd_owner';
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'the tables stay with %: it may not hand them to ingestd_owner (%)',
            current_user, SQLERRM;
END
$owner$;

DO $daemon$
BEGIN
    IF to_regrole('ingestd') IS NULL THEN
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA ingest TO ingestd;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ingest TO ingestd;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA ingest TO ingestd;
    ALTER DEFAULT PRIVILEGES IN SCHEMA ingest
        GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ingestd;
    ALTER DEFAULT PRIVILEGES IN SCHEMA ingest GRANT USAGE ON SEQUENCES TO ingestd;
    REVOKE INSERT, UPDATE, DELETE ON ingest.schema_files FROM ingestd;
    IF EXISTS (SELECT FROM ingest.schema_files WHERE number = 2) THEN
        GRANT SELECT, INSERT ON public.vehicles TO ingestd;
        -- Every field that a feed can fill, and what follows from it; not id, created_at and
        -- advertiser_name.  dealership_id is for a vehicle that another dealership took over.
        GRANT UPDATE (dealership_id, vin, stock_number, make, model, year, trim, exterior_color,
                      interior_color, mileage, price, msrp, body_style, transmission, engine,
                      fuel_type, drivetrain, features, description, images, status, is_active, url,
                      doors, image_type, vehicle_type, condition, updated_at)
            ON public.vehicles TO ingestd;
        GRANT SELECT ON public.dealerships TO ingestd;
        GRANT INSERT (name, location, contact_email, contact_phone, domain, handover_email)
            ON public.dealerships TO ingestd;
        GRANT USAGE ON SEQUENCE public.vehicles_id_seq, public.dealerships_id_seq TO ingestd;
    END IF;
END
$daemon$;

DO $reader$
BEGIN
    IF to_regrole('ingestd_reader') IS NULL THEN
        RETURN;
    END IF;
    GRANT USAGE ON SCHEMA ingest TO ingestd_reader;
    GRANT SELECT ON ALL TABLES IN SCHEMA ingest TO ingestd_reader;
    ALTER DEFAULT PRIVILEGES IN SCHEMA ingest GRANT SELECT ON TABLES TO ingestd_reader;
    IF EXISTS (SELECT FROM ingest.schema_files WHERE number = 2) THEN
        GRANT SELECT ON public.vehicles, public.dealerships TO ingestd_reader;
    END IF;
END
$reader$;

INSERT INTO ingest.schema_files (number, name) VALUES (20, '020_roles.sql')
    ON CONFLICT (number) DO NOTHING;
