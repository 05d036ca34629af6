-- What ingestd changed of a vehicle: when, by which import, from which line.
-- No foreign keys: checking one costs more than the row, and a change may outlive its vehicle.
-- The grants are here as well as in 020_roles.sql: a database may have had that file before.

CREATE TABLE ingest.vehicle_changes (
  vehicle_id bigint NOT NULL,
  import_id  bigint NOT NULL,
  line       integer CHECK (line > 0),
  at         timestamptz NOT NULL,
  cause      text NOT NULL CHECK (cause IN ('row', 'sold', 'returned', 'vin_replaced', 'twin', 'missing', 'transfer')),
  field      text NOT NULL,
  old        text,
  new        text
);
COMMENT ON TABLE ingest.vehicle_changes IS 'Every change that ingestd made to a vehicle it had found there, one row for each column; kept for [history] keep_for';
COMMENT ON COLUMN ingest.vehicle_changes.vehicle_id IS 'The vehicle (public.vehicles, without foreign key)';
COMMENT ON COLUMN ingest.vehicle_changes.import_id IS 'Import that was the cause (ingest.imports)';
COMMENT ON COLUMN ingest.vehicle_changes.line IS 'First physical line of the row that was the cause; null where it was that no row listed the vehicle';
COMMENT ON COLUMN ingest.vehicle_changes.at IS 'When: the time of the transaction, as in updated_at';
COMMENT ON COLUMN ingest.vehicle_changes.cause IS 'row: its row said so; sold: its row said that it is; returned: its row brought it back; vin_replaced: the final VIN came; twin: the same car is there with its VIN; missing: the feed no longer lists it; transfer: another dealership has it now';
COMMENT ON COLUMN ingest.vehicle_changes.field IS 'Name of the column in the vehicles table';
COMMENT ON COLUMN ingest.vehicle_changes.old IS 'Its value before, as text; what is longer than 1000 characters is cut and ends with …';
COMMENT ON COLUMN ingest.vehicle_changes.new IS 'Its value since then, likewise';
CREATE INDEX vehicle_changes_vehicle ON ingest.vehicle_changes (vehicle_id);
CREATE INDEX vehicle_changes_at ON ingest.vehicle_changes (at);

DO $roles$
BEGIN
    IF to_regrole('ingestd') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.vehicle_changes TO ingestd;
    END IF;
    IF to_regrole('ingestd_reader') IS NOT NULL THEN
        GRANT SELECT ON ingest.vehicle_changes TO ingestd_reader;
    END IF;
    IF to_regrole('ingestd_owner') IS NOT NULL
       AND pg_has_role(current_user, 'ingestd_owner', 'USAGE') THEN
        ALTER TABLE ingest.vehicle_changes OWNER TO ingestd_owner;
    END IF;
END
$roles$;

INSERT INTO ingest.schema_files (number, name) VALUES (15, '015_history.sql')
    ON CONFLICT (number) DO NOTHING;
