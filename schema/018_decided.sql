-- Who decided what is held, and when; and what waits for a decision.
-- No table is new here: the grants on the old ones hold for its new columns.

ALTER TABLE ingest.imports
  ADD COLUMN decided_by text,
  ADD COLUMN decided_at timestamptz;
COMMENT ON COLUMN ingest.imports.decided_by IS 'Who decided: the name under which the command ran on its machine';
COMMENT ON COLUMN ingest.imports.decided_at IS 'When that was';

-- What waits for a decision is counted every few seconds, and imports are never purged.
CREATE INDEX imports_undecided ON ingest.imports (feed, delivery_id)
  WHERE outcome = 'held' OR held_deactivations > 0;

INSERT INTO ingest.schema_files (number, name) VALUES (18, '018_decided.sql')
    ON CONFLICT (number) DO NOTHING;
