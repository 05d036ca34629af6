-- Provisional VINs: what a factory gives a car before it is built, and what replaced it.
-- The grants are here as well as in 020_roles.sql: a database may have had that file before.

CREATE TABLE ingest.provisional_vins (
  dealership_id integer NOT NULL,
  vin           text NOT NULL,
  vehicle_id    bigint,
  replaced_by   text,
  delivery_id   bigint,
  at            timestamptz NOT NULL,
  CONSTRAINT provisional_vins_pkey PRIMARY KEY (dealership_id, vin),
  CONSTRAINT provisional_vins_replaced_on_a_vehicle CHECK ((replaced_by IS NULL) = (vehicle_id IS NULL))
);
COMMENT ON TABLE ingest.provisional_vins IS 'VINs that stand in for a car''s own until it is built. A row that still has one that was replaced means the vehicle that has the final VIN';
COMMENT ON COLUMN ingest.provisional_vins.dealership_id IS 'The dealership (public.dealerships, without foreign key)';
COMMENT ON COLUMN ingest.provisional_vins.vin IS 'The provisional VIN, in normal form';
COMMENT ON COLUMN ingest.provisional_vins.vehicle_id IS 'The vehicle whose VIN was replaced (public.vehicles, without foreign key); null until then';
COMMENT ON COLUMN ingest.provisional_vins.replaced_by IS 'The final VIN, in normal form; null until it came';
COMMENT ON COLUMN ingest.provisional_vins.delivery_id IS 'Delivery that brought the final VIN, or until then the first that brought the provisional one';
COMMENT ON COLUMN ingest.provisional_vins.at IS 'When that was loaded';

DO $roles$
BEGIN
    IF to_regrole('ingestd') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.provisional_vins TO ingestd;
    END IF;
    IF to_regrole('ingestd_reader') IS NOT NULL THEN
        GRANT SELECT ON ingest.provisional_vins TO ingestd_reader;
    END IF;
    IF to_regrole('ingestd_owner') IS NOT NULL
       AND pg_has_role(current_user, 'ingestd_owner', 'USAGE') THEN
        ALTER TABLE ingest.provisional_vins OWNER TO ingestd_owner;
    END IF;
END
$roles$;

INSERT INTO ingest.schema_files (number, name) VALUES (12, '012_identity.sql')
    ON CONFLICT (number) DO NOTHING;
