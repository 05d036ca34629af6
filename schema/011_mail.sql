-- Mail: what a message says of itself, and where its copies lie.
-- The grants are here as well as in 020_roles.sql: a database may have had that file before.

ALTER TABLE ingest.deliveries
  ADD COLUMN sender    text,
  ADD COLUMN subject   text,
  ADD COLUMN automatic boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ingest.deliveries.lane IS 'Deliveries of one lane, which is a feed, are handled one after the other; ? is not opened yet, the empty lane has files of several feeds';
COMMENT ON COLUMN ingest.deliveries.sender IS 'Address in a mail''s From: the sender''s word, whether proven or not';
COMMENT ON COLUMN ingest.deliveries.subject IS 'Subject of a mail: data for display';
COMMENT ON COLUMN ingest.deliveries.automatic IS 'Whether a program or a mailing list sent the mail: it is never replied to';

CREATE TABLE ingest.messages (
  source      text NOT NULL,
  uidvalidity bigint NOT NULL CHECK (uidvalidity > 0),
  uid         bigint NOT NULL CHECK (uid > 0),
  delivery_id bigint NOT NULL REFERENCES ingest.deliveries (id),
  CONSTRAINT messages_pkey PRIMARY KEY (source, uidvalidity, uid)
);
COMMENT ON TABLE ingest.messages IS 'Where the copies of a mail lie, or lay: no message is fetched twice, and all copies of a delivery are settled';
COMMENT ON COLUMN ingest.messages.source IS 'Name of the mailbox';
COMMENT ON COLUMN ingest.messages.uidvalidity IS 'The server''s UIDVALIDITY: UIDs mean nothing under another';
COMMENT ON COLUMN ingest.messages.uid IS 'The message''s UID in the watched folder';
COMMENT ON COLUMN ingest.messages.delivery_id IS 'Delivery that it is: the same bytes are one delivery';
CREATE INDEX messages_delivery ON ingest.messages (delivery_id);

CREATE TABLE ingest.replies (
  delivery_id bigint NOT NULL REFERENCES ingest.deliveries (id),
  feed        text NOT NULL,
  queued_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  sent_at     timestamptz,
  given_up    text,
  CONSTRAINT replies_pkey PRIMARY KEY (delivery_id, feed)
);
COMMENT ON TABLE ingest.replies IS 'Replies to dealers: one for a delivery and feed at most, sent when sent_at says so';
COMMENT ON COLUMN ingest.replies.delivery_id IS 'Delivery that is replied to';
COMMENT ON COLUMN ingest.replies.feed IS 'Feed whose reply_to names the addresses';
COMMENT ON COLUMN ingest.replies.queued_at IS 'When it came to be owed';
COMMENT ON COLUMN ingest.replies.due_at IS 'When it may be tried next: each attempt puts it off first';
COMMENT ON COLUMN ingest.replies.attempts IS 'How often it was tried, counted before each';
COMMENT ON COLUMN ingest.replies.sent_at IS 'When the SMTP server had taken it';
COMMENT ON COLUMN ingest.replies.given_up IS 'Why it will not be sent: the server''s words, the limit, or an automatic mail';
CREATE INDEX replies_owed ON ingest.replies (due_at) WHERE sent_at IS NULL AND given_up IS NULL;
CREATE INDEX replies_sent ON ingest.replies (feed, sent_at) WHERE sent_at IS NOT NULL;

DO $roles$
BEGIN
    IF to_regrole('ingestd') IS NOT NULL THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON ingest.messages, ingest.replies TO ingestd;
    END IF;
    IF to_regrole('ingestd_reader') IS NOT NULL THEN
        GRANT SELECT ON ingest.messages, ingest.replies TO ingestd_reader;
    END IF;
    IF to_regrole('ingestd_owner') IS NOT NULL
       AND pg_has_role(current_user, 'ingestd_owner', 'USAGE') THEN
        ALTER TABLE ingest.messages OWNER TO ingestd_owner;
        ALTER TABLE ingest.replies OWNER TO ingestd_owner;
    END IF;
END
$roles$;

INSERT INTO ingest.schema_files (number, name) VALUES (11, '011_mail.sql')
    ON CONFLICT (number) DO NOTHING;
