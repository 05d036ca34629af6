-- Turns and decisions: who goes first in a backlog, what an operator decided, what is done again.
-- No table is new here: the grants on the old ones hold for their new columns.

ALTER TABLE ingest.deliveries
  ADD COLUMN turn      smallint NOT NULL DEFAULT 0 CHECK (turn IN (-1, 0, 1)),
  ADD COLUMN feeds     text[],
  ADD COLUMN only_feed text,
  ADD COLUMN came      timestamptz;
COMMENT ON COLUMN ingest.deliveries.turn IS 'Its turn among those that wait: -1 first, since it was approved; 1 after all that are older, since it may not be the last word on its feed; else 0';
COMMENT ON COLUMN ingest.deliveries.feeds IS 'Feeds of what is in the empty lane, which others of these feeds wait for; null: it may be of any';
COMMENT ON COLUMN ingest.deliveries.only_feed IS 'Of a replay: the feed whose files alone are done again; nobody is told of it';
COMMENT ON COLUMN ingest.deliveries.came IS 'Of a replay: when its bytes came first, which is the time for which its sender is proven';

ALTER TABLE ingest.imports
  ADD COLUMN decision text CHECK (decision IN ('approve', 'approved', 'denied'));
COMMENT ON COLUMN ingest.imports.decision IS 'What an operator decided: approve (it is yet to be loaded), approved (it was), or denied';

-- A lane is worked from either end, those of each turn apart.
CREATE INDEX deliveries_waiting_by_turn ON ingest.deliveries (lane, turn, first_seen, id)
  WHERE state IN ('received', 'working');
CREATE INDEX deliveries_working ON ingest.deliveries (lane) WHERE state = 'working';
CREATE INDEX imports_held ON ingest.imports (feed, delivery_id) WHERE outcome = 'held';

INSERT INTO ingest.schema_files (number, name) VALUES (14, '014_decisions.sql')
    ON CONFLICT (number) DO NOTHING;
