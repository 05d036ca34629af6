-- The ledger: what came, what was made of it, and what the daemon must remember.
-- Nothing here refers to schema public by foreign key, so the platform's tables stay free to change.
-- Every table is written by ingestd alone; people and dashboards may read all of it.
-- Schema ingest itself comes from 001_schema_files.sql, the grants from 020_roles.sql.

CREATE TABLE ingest.deliveries (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source      text NOT NULL,
  kind        text NOT NULL CHECK (kind IN ('folder', 'mail', 'cli')),
  key         text NOT NULL,
  name        text NOT NULL,
  sha256      text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  size        bigint NOT NULL CHECK (size >= 0),
  first_seen  timestamptz NOT NULL,
  hint        text,
  lane        text NOT NULL DEFAULT '',
  refused     text,
  message     text NOT NULL DEFAULT '',
  state       text NOT NULL DEFAULT 'received'
              CHECK (state IN ('received', 'working', 'done', 'quarantined')),
  attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  lost        integer NOT NULL DEFAULT 0 CHECK (lost >= 0),
  outcome     text CHECK (outcome IN ('imported', 'unchanged', 'held', 'superseded', 'rejected', 'failed')),
  reason      text,
  taken_by    text NOT NULL,
  owner       text,
  lease_until timestamptz,
  taken_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  settled_at  timestamptz,
  CONSTRAINT deliveries_source_key UNIQUE (source, key),
  CONSTRAINT deliveries_outcome_when_finished
    CHECK ((state IN ('done', 'quarantined')) = (outcome IS NOT NULL))
);
COMMENT ON TABLE ingest.deliveries IS 'Everything that was received: one row for a mail message or a dropped file. Order is (first_seen, id)';
COMMENT ON COLUMN ingest.deliveries.id IS 'Number of the delivery';
COMMENT ON COLUMN ingest.deliveries.source IS 'Name of the mailbox or folder it came from';
COMMENT ON COLUMN ingest.deliveries.kind IS 'folder, mail, or cli (ingestd import)';
COMMENT ON COLUMN ingest.deliveries.key IS 'What makes it one delivery within its source; taking the same key again changes nothing';
COMMENT ON COLUMN ingest.deliveries.name IS 'The sender''s name for it: data for display, never a path';
COMMENT ON COLUMN ingest.deliveries.sha256 IS 'Checksum of the raw bytes, which is also their name in the spool';
COMMENT ON COLUMN ingest.deliveries.size IS 'Number of raw bytes';
COMMENT ON COLUMN ingest.deliveries.first_seen IS 'When it was first seen, by the database''s clock: its place in the order, never changed';
COMMENT ON COLUMN ingest.deliveries.hint IS 'Feed that the place named, such as the subfolder it was dropped into';
COMMENT ON COLUMN ingest.deliveries.lane IS 'Deliveries of one lane are handled one after the other; the empty lane is in the way of all';
COMMENT ON COLUMN ingest.deliveries.refused IS 'Why the source itself refused it (a code); then its bytes were not taken';
COMMENT ON COLUMN ingest.deliveries.message IS 'The same as a sentence';
COMMENT ON COLUMN ingest.deliveries.state IS 'received, working, done or quarantined';
COMMENT ON COLUMN ingest.deliveries.attempts IS 'Attempts begun, each counted before it starts';
COMMENT ON COLUMN ingest.deliveries.lost IS 'Those of them that never came back: the process was killed';
COMMENT ON COLUMN ingest.deliveries.outcome IS 'The worst of its imports'' outcomes, once it is finished';
COMMENT ON COLUMN ingest.deliveries.reason IS 'Why, where the outcome is not a success (a code)';
COMMENT ON COLUMN ingest.deliveries.taken_by IS 'Instance that has the bytes in its spool: it alone reads them';
COMMENT ON COLUMN ingest.deliveries.owner IS 'Instance that works on it, or that owes its settlement';
COMMENT ON COLUMN ingest.deliveries.lease_until IS 'Until when the owner''s claim holds unless renewed';
COMMENT ON COLUMN ingest.deliveries.taken_at IS 'When it was written here';
COMMENT ON COLUMN ingest.deliveries.finished_at IS 'When it was done or quarantined';
COMMENT ON COLUMN ingest.deliveries.settled_at IS 'When the source had been told: mail or file moved, receipt written';
CREATE INDEX deliveries_waiting ON ingest.deliveries (first_seen, id)
  WHERE state IN ('received', 'working');
CREATE INDEX deliveries_waiting_by_lane ON ingest.deliveries (lane, first_seen, id)
  WHERE state IN ('received', 'working');
CREATE INDEX deliveries_unsettled ON ingest.deliveries (first_seen, id)
  WHERE state IN ('done', 'quarantined') AND settled_at IS NULL;

CREATE TABLE ingest.imports (
  id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  delivery_id        bigint NOT NULL REFERENCES ingest.deliveries (id),
  file_index         integer NOT NULL CHECK (file_index >= 0),
  file               text NOT NULL,
  feed               text,
  dealership_id      integer,
  outcome            text NOT NULL CHECK (outcome IN ('imported', 'unchanged', 'held', 'superseded', 'rejected', 'failed')),
  reason             text,
  message            text NOT NULL DEFAULT '',
  lines              integer CHECK (lines >= 0),
  header             integer CHECK (header >= 0),
  blank              integer CHECK (blank >= 0),
  added              integer CHECK (added >= 0),
  updated            integer CHECK (updated >= 0),
  unchanged          integer CHECK (unchanged >= 0),
  duplicate          integer CHECK (duplicate >= 0),
  rejected           integer CHECK (rejected >= 0),
  deactivated        integer NOT NULL DEFAULT 0 CHECK (deactivated >= 0),
  reactivated        integer NOT NULL DEFAULT 0 CHECK (reactivated >= 0),
  held_deactivations integer NOT NULL DEFAULT 0 CHECK (held_deactivations >= 0),
  warnings           integer NOT NULL DEFAULT 0 CHECK (warnings >= 0),
  reading            jsonb,
  started_at         timestamptz NOT NULL,
  seconds            double precision NOT NULL DEFAULT 0 CHECK (seconds >= 0),
  CONSTRAINT imports_delivery_file UNIQUE (delivery_id, file_index),
  CONSTRAINT imports_lines_add_up CHECK (
    CASE WHEN outcome IN ('imported', 'unchanged')
      THEN (lines = header + blank + added + updated + unchanged + duplicate + rejected) IS TRUE
      ELSE true END)
);
COMMENT ON TABLE ingest.imports IS 'What was made of one file for one feed: one report, one outcome';
COMMENT ON COLUMN ingest.imports.id IS 'Number of the import';
COMMENT ON COLUMN ingest.imports.delivery_id IS 'Delivery the file came in';
COMMENT ON COLUMN ingest.imports.file_index IS 'Place of the file within the delivery, from 0';
COMMENT ON COLUMN ingest.imports.file IS 'The sender''s name for the file: data for display, never a path';
COMMENT ON COLUMN ingest.imports.feed IS 'Feed it was read for; null where none took it';
COMMENT ON COLUMN ingest.imports.dealership_id IS 'Dealership whose vehicles it lists (public.dealerships, without foreign key)';
COMMENT ON COLUMN ingest.imports.outcome IS 'imported, unchanged, held, superseded, rejected or failed';
COMMENT ON COLUMN ingest.imports.reason IS 'Why, where the outcome is not a success (a code)';
COMMENT ON COLUMN ingest.imports.message IS 'The same as a sentence, with what to do next';
COMMENT ON COLUMN ingest.imports.lines IS 'Records, header and blank lines; a record over several lines counts once';
COMMENT ON COLUMN ingest.imports.header IS 'Lines that were a header';
COMMENT ON COLUMN ingest.imports.blank IS 'Lines that were blank';
COMMENT ON COLUMN ingest.imports.added IS 'Lines whose vehicle was new';
COMMENT ON COLUMN ingest.imports.updated IS 'Lines whose vehicle was changed';
COMMENT ON COLUMN ingest.imports.unchanged IS 'Lines whose vehicle was so already';
COMMENT ON COLUMN ingest.imports.duplicate IS 'Lines that a later line replaced';
COMMENT ON COLUMN ingest.imports.rejected IS 'Lines that were not loaded; see ingest.rejections';
COMMENT ON COLUMN ingest.imports.deactivated IS 'Vehicles made inactive';
COMMENT ON COLUMN ingest.imports.reactivated IS 'Vehicles made active again';
COMMENT ON COLUMN ingest.imports.held_deactivations IS 'Vehicles that were not made inactive because it looked wrong';
COMMENT ON COLUMN ingest.imports.warnings IS 'Cells that could not be used, whose rows were loaded without them';
COMMENT ON COLUMN ingest.imports.reading IS 'What was understood of the file: encoding, delimiter, quoting, mapping, headers, the first warnings';
COMMENT ON COLUMN ingest.imports.started_at IS 'When the load began';
COMMENT ON COLUMN ingest.imports.seconds IS 'How long it took, reading included';
CREATE INDEX imports_feed ON ingest.imports (feed, id);

CREATE TABLE ingest.rejections (
  import_id   bigint NOT NULL REFERENCES ingest.imports (id) ON DELETE CASCADE,
  line        integer NOT NULL,
  column_name text,
  reason      text NOT NULL,
  value       text NOT NULL DEFAULT '',
  CONSTRAINT rejections_pkey PRIMARY KEY (import_id, line)
);
COMMENT ON TABLE ingest.rejections IS 'Rows that were not loaded';
COMMENT ON COLUMN ingest.rejections.import_id IS 'Import the row belongs to';
COMMENT ON COLUMN ingest.rejections.line IS 'First physical line of the row, from 1';
COMMENT ON COLUMN ingest.rejections.column_name IS 'The sender''s header of the cell at fault, if it was one cell';
COMMENT ON COLUMN ingest.rejections.reason IS 'Why (a code)';
COMMENT ON COLUMN ingest.rejections.value IS 'The cell as it stood there, cut to 200 characters';

CREATE TABLE ingest.feeds (
  feed               text NOT NULL,
  dealership_id      integer NOT NULL,
  latest_first_seen  timestamptz NOT NULL,
  latest_delivery_id bigint NOT NULL,
  latest_import_id   bigint NOT NULL,
  applied_at         timestamptz NOT NULL,
  CONSTRAINT feeds_pkey PRIMARY KEY (feed, dealership_id)
);
COMMENT ON TABLE ingest.feeds IS 'The latest delivery applied for each feed: an older one never lands on it';
COMMENT ON COLUMN ingest.feeds.feed IS 'Name of the feed in the configuration';
COMMENT ON COLUMN ingest.feeds.dealership_id IS 'Dealership it fills (public.dealerships, without foreign key)';
COMMENT ON COLUMN ingest.feeds.latest_first_seen IS 'Order key of the latest delivery applied, first part';
COMMENT ON COLUMN ingest.feeds.latest_delivery_id IS 'Order key of the latest delivery applied, second part';
COMMENT ON COLUMN ingest.feeds.latest_import_id IS 'Last import of that delivery';
COMMENT ON COLUMN ingest.feeds.applied_at IS 'When it was applied';

CREATE TABLE ingest.leases (
  name        text PRIMARY KEY,
  owner       text NOT NULL,
  lease_until timestamptz NOT NULL
);
COMMENT ON TABLE ingest.leases IS 'Which instance watches which source; the others stand by';
COMMENT ON COLUMN ingest.leases.name IS 'The source';
COMMENT ON COLUMN ingest.leases.owner IS 'Instance that watches it';
COMMENT ON COLUMN ingest.leases.lease_until IS 'Until when, by the database''s clock, unless renewed';

CREATE TABLE ingest.vehicle_extras (
  vehicle_id bigint PRIMARY KEY,
  extras     jsonb NOT NULL CHECK (jsonb_typeof(extras) = 'object')
);
COMMENT ON TABLE ingest.vehicle_extras IS 'Cells of columns that no field takes, kept for each vehicle in case they are needed';
COMMENT ON COLUMN ingest.vehicle_extras.vehicle_id IS 'The vehicle (public.vehicles, without foreign key)';
COMMENT ON COLUMN ingest.vehicle_extras.extras IS 'The sender''s header and the cell, as the latest import that had any left them';

CREATE TABLE ingest.deactivations (
  vehicle_id    bigint PRIMARY KEY,
  dealership_id integer NOT NULL,
  delivery_id   bigint,
  reason        text NOT NULL CHECK (reason IN ('sold', 'twin', 'missing')),
  at            timestamptz NOT NULL
);
COMMENT ON TABLE ingest.deactivations IS 'Vehicles that ingestd itself made inactive or sold and that still are: what is off and not listed here, a person switched off';
COMMENT ON COLUMN ingest.deactivations.vehicle_id IS 'The vehicle (public.vehicles, without foreign key)';
COMMENT ON COLUMN ingest.deactivations.dealership_id IS 'Its dealership at that time';
COMMENT ON COLUMN ingest.deactivations.delivery_id IS 'Delivery that was the cause';
COMMENT ON COLUMN ingest.deactivations.reason IS 'sold: the feed said so; twin: the same car is there with its VIN; missing: the feed no longer lists it';
COMMENT ON COLUMN ingest.deactivations.at IS 'When';
CREATE INDEX deactivations_dealership ON ingest.deactivations (dealership_id);

CREATE TABLE ingest.junk_vins (
  dealership_id integer NOT NULL,
  vin           text NOT NULL,
  CONSTRAINT junk_vins_pkey PRIMARY KEY (dealership_id, vin)
);
COMMENT ON TABLE ingest.junk_vins IS 'VINs that a dealership put on different cars: they identify nothing there any more';
COMMENT ON COLUMN ingest.junk_vins.dealership_id IS 'The dealership (public.dealerships, without foreign key)';
COMMENT ON COLUMN ingest.junk_vins.vin IS 'The VIN, in normal form';

INSERT INTO ingest.schema_files (number, name) VALUES (10, '010_ingest.sql')
    ON CONFLICT (number) DO NOTHING;
