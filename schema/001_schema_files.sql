-- Schema `ingest`, and the record of which of these files a database has.
--
-- Apply the files in order, each in one transaction (`ingestd schema apply`, or
-- `psql -1 -v ON_ERROR_STOP=1 -f FILE`).  Numbers: 002-009 the platform's tables, 010-019 the
-- daemon's ledger, 020 and up roles and what comes later.  Each file records its number; the
-- checksum of a file that psql applied is filled in by the next `ingestd schema apply`.

CREATE SCHEMA IF NOT EXISTS ingest;
COMMENT ON SCHEMA ingest IS
    'The books of ingestd: what came, what was done with every line.  No foreign keys into public.';

CREATE TABLE IF NOT EXISTS ingest.schema_files (
    number integer CONSTRAINT schema_files_pkey PRIMARY KEY,
    name text NOT NULL,
    sha256 text,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.schema_files IS 'Which files of schema/ this database has.';
COMMENT ON COLUMN ingest.schema_files.number IS 'The number that the file''s name begins with.';
COMMENT ON COLUMN ingest.schema_files.name IS 'The file''s name when it was applied.';
COMMENT ON COLUMN ingest.schema_files.sha256 IS
    'Of the file''s bytes; NULL where psql applied it and no `ingestd schema apply` came by since.';
COMMENT ON COLUMN ingest.schema_files.applied_at IS 'Time of the transaction that applied it.';

INSERT INTO ingest.schema_files (number, name) VALUES (1, '001_schema_files.sql')
    ON CONFLICT (number) DO NOTHING;
