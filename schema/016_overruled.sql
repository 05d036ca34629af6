-- What the vehicles table made of a value otherwise than it was written, by a trigger of its own.
-- No foreign key: the vehicles may be another's, and an entry may outlive its vehicle.

CREATE TABLE ingest.overruled (
    vehicle_id bigint PRIMARY KEY,
    wanted text NOT NULL,
    became text NOT NULL
);
COMMENT ON TABLE ingest.overruled IS
    'Vehicles whose values a trigger of the table changed while ingestd wrote them: left alone'
    ' until the file or the vehicle says something else.';
COMMENT ON COLUMN ingest.overruled.vehicle_id IS 'The vehicle (public.vehicles, without foreign key).';
COMMENT ON COLUMN ingest.overruled.wanted IS 'Fingerprint of what the row wanted.';
COMMENT ON COLUMN ingest.overruled.became IS 'Fingerprint of what the vehicle became.';

DO $roles$
BEGIN
    IF to_regrole('ingestd') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.overruled TO ingestd;
    END IF;
    IF to_regrole('ingestd_reader') IS NOT NULL THEN
        GRANT SELECT ON ingest.overruled TO ingestd_reader;
    END IF;
    IF to_regrole('ingestd_owner') IS NOT NULL
       AND pg_has_role(current_user, 'ingestd_owner', 'USAGE') THEN
        ALTER TABLE ingest.overruled OWNER TO ingestd_owner;
    END IF;
END
$roles$;

INSERT INTO ingest.schema_files (number, name) VALUES (16, '016_overruled.sql')
    ON CONFLICT (number) DO NOTHING;
