-- Who decided what is held, and when.
-- No table is new here: the grants on the old ones hold for its new columns.

ALTER TABLE ingest.imports
  ADD COLUMN decided_by text,
  ADD COLUMN decided_at timestamptz;
COMMENT ON COLUMN ingest.imports.decided_by IS 'Who decided: the name under which the command ran on its machine';
COMMENT ON COLUMN ingest.imports.decided_at IS 'When that was';

INSERT INTO ingest.schema_files (number, name) VALUES (18, '018_decided.sql')
    ON CONFLICT (number) DO NOTHING;
