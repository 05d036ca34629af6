-- Group files: one import for several dealerships.
-- No table is new here: the grants on the old one hold for its new column.

ALTER TABLE ingest.imports ADD COLUMN dealerships jsonb
  CONSTRAINT imports_dealerships_is_array CHECK (jsonb_typeof(dealerships) = 'array');
COMMENT ON COLUMN ingest.imports.dealership_id IS 'Dealership whose vehicles it lists (public.dealerships, without foreign key); null where no feed took it, and of a group file';
COMMENT ON COLUMN ingest.imports.dealerships IS 'Of a group file: the counts of each dealership, as [{"id": 1, "counts": {…}}]; the rows of a rooftop that the feed does not know are counted for none';

INSERT INTO ingest.schema_files (number, name) VALUES (17, '017_rooftops.sql')
    ON CONFLICT (number) DO NOTHING;
