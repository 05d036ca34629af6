-- Which vehicles each feed lists, how often it missed them, and what the guard compares with.
-- The grants are here as well as in 020_roles.sql: a database may have had that file before.

CREATE TABLE ingest.listings (
  dealership_id    integer NOT NULL,
  vehicle_id       bigint NOT NULL,
  feed             text NOT NULL,
  listed           boolean NOT NULL,
  baseline         boolean NOT NULL,
  held             boolean NOT NULL,
  misses           integer NOT NULL DEFAULT 0 CHECK (misses >= 0),
  missed_at        timestamptz,
  left_first_seen  timestamptz,
  left_delivery_id bigint,
  price            numeric,
  CONSTRAINT listings_pkey PRIMARY KEY (dealership_id, vehicle_id, feed),
  CONSTRAINT listings_left_when_not_listed CHECK (listed OR left_first_seen IS NOT NULL)
);
COMMENT ON TABLE ingest.listings IS 'Which vehicles a feed lists, or did: what absence and the guard are judged by. A row is written only where it changes';
COMMENT ON COLUMN ingest.listings.dealership_id IS 'Dealership it was listed for (public.dealerships, without foreign key)';
COMMENT ON COLUMN ingest.listings.vehicle_id IS 'The vehicle (public.vehicles, without foreign key)';
COMMENT ON COLUMN ingest.listings.feed IS 'Feed that listed it';
COMMENT ON COLUMN ingest.listings.listed IS 'Whether the feed''s latest delivery that was applied whole listed it';
COMMENT ON COLUMN ingest.listings.baseline IS 'Whether the last delivery whose deactivations were not held listed it';
COMMENT ON COLUMN ingest.listings.held IS 'Whether the first delivery whose deactivations are held listed it';
COMMENT ON COLUMN ingest.listings.misses IS 'Deliveries in a row that did not list it, at most missing_after';
COMMENT ON COLUMN ingest.listings.missed_at IS 'Order key, first part, of the delivery that missed it last: the next counts 20 hours later';
COMMENT ON COLUMN ingest.listings.left_first_seen IS 'Order key of the last delivery that listed it, first part; null: the latest did';
COMMENT ON COLUMN ingest.listings.left_delivery_id IS 'Order key of the last delivery that listed it, second part; null: the latest did';
COMMENT ON COLUMN ingest.listings.price IS 'Price that this feed applied last, in the unit of the vehicles table';

ALTER TABLE ingest.feeds
  ADD COLUMN hold_first_seen  timestamptz,
  ADD COLUMN hold_delivery_id bigint,
  ADD COLUMN hold_counted_at  timestamptz,
  ADD COLUMN hold_confirmed   integer CHECK (hold_confirmed >= 0),
  ADD COLUMN year_readable    double precision,
  ADD COLUMN price_readable   double precision,
  ADD COLUMN vin_readable     double precision,
  ADD COLUMN dealer_id        text,
  ADD COLUMN nameless         bigint[] NOT NULL DEFAULT '{}',
  ADD CONSTRAINT feeds_hold_is_whole CHECK (
    num_nulls(hold_first_seen, hold_delivery_id, hold_counted_at, hold_confirmed) IN (0, 4));
COMMENT ON COLUMN ingest.feeds.hold_first_seen IS 'Where deactivations are held: order key of the first such delivery, first part';
COMMENT ON COLUMN ingest.feeds.hold_delivery_id IS 'Where deactivations are held: order key of the first such delivery, second part';
COMMENT ON COLUMN ingest.feeds.hold_counted_at IS 'Order key, first part, of the latest delivery that agreed with the first; the next counts 20 hours later';
COMMENT ON COLUMN ingest.feeds.hold_confirmed IS 'How many deliveries agreed with the first';
COMMENT ON COLUMN ingest.feeds.year_readable IS 'Share of year cells that could be used in the latest delivery, of those not blank; null: too few';
COMMENT ON COLUMN ingest.feeds.price_readable IS 'The same of prices, words such as "call" included';
COMMENT ON COLUMN ingest.feeds.vin_readable IS 'The same of VINs';
COMMENT ON COLUMN ingest.feeds.dealer_id IS 'The one value that the column with the dealer''s id has had so far';
COMMENT ON COLUMN ingest.feeds.nameless IS 'Fingerprints of the latest delivery''s rows without identifier: the same again is a footer';

DO $roles$
BEGIN
    IF to_regrole('ingestd') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.listings TO ingestd;
    END IF;
    IF to_regrole('ingestd_reader') IS NOT NULL THEN
        GRANT SELECT ON ingest.listings TO ingestd_reader;
    END IF;
    IF to_regrole('ingestd_owner') IS NOT NULL
       AND pg_has_role(current_user, 'ingestd_owner', 'USAGE') THEN
        ALTER TABLE ingest.listings OWNER TO ingestd_owner;
    END IF;
END
$roles$;

INSERT INTO ingest.schema_files (number, name) VALUES (13, '013_absence.sql')
    ON CONFLICT (number) DO NOTHING;
