-- The platform's eleven tables: everything that the platform's documentation names and everything
-- that version A1 of its application reads and writes (except its features and images: lists are
-- jsonb here, text[] there).  A column that only one of the two knows is nullable or has a default.
--
-- Refused where any of the eleven exists: such a database belongs to the platform, and ingestd
-- changes nothing in it but rows of vehicles.
--
-- Never run the platform's `npm run db:push` against this database: it plans TRUNCATE vehicles
-- CASCADE, to turn these types into its own.
--
-- Timestamps are UTC without zone, as the platform's are.

DO $refuse$
DECLARE
    present text;
BEGIN
    SELECT string_agg(relname, ', ' ORDER BY relname) INTO present
    FROM pg_catalog.pg_class
    WHERE relnamespace = 'public'::regnamespace
      AND relname IN ('users', 'dealerships', 'vehicles', 'conversations', 'messages', 'personas',
                      'api_keys', 'prompt_variants', 'prompt_metrics', 'prompt_experiments',
                      'experiment_variants');
    IF present IS NOT NULL THEN
        RAISE EXCEPTION 'schema public of database % already has: %', current_database(), present
            USING HINT = 'If the platform made them, use `ingestd schema apply`, which leaves them'
                         ' alone; else apply this to an empty database.';
    END IF;
END
$refuse$;

CREATE TYPE public.conversation_status AS ENUM ('active', 'waiting', 'escalated', 'completed');

CREATE TABLE public.dealerships (
    id serial PRIMARY KEY,
    name text NOT NULL,
    location text NOT NULL,
    contact_email text NOT NULL,
    contact_phone text NOT NULL,
    domain text,
    handover_email text,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.dealerships IS 'Car dealerships; nearly everything belongs to one.';
COMMENT ON COLUMN public.dealerships.location IS 'Street address.';
COMMENT ON COLUMN public.dealerships.domain IS 'Domain of the web site.';
COMMENT ON COLUMN public.dealerships.handover_email IS 'Where leads are handed over.';

CREATE TABLE public.users (
    id serial PRIMARY KEY,
    username text NOT NULL CONSTRAINT users_username_unique UNIQUE,
    password text NOT NULL,
    name text NOT NULL,
    email text NOT NULL CONSTRAINT users_email_unique UNIQUE,
    role text NOT NULL DEFAULT 'user',
    dealership_id integer
        CONSTRAINT users_dealership_id_dealerships_id_fk REFERENCES public.dealerships (id),
    created_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.users IS 'People who may log in to the platform.';
COMMENT ON COLUMN public.users.password IS
    'A salted hash (bcrypt, scrypt or argon2), never the password itself.';
COMMENT ON COLUMN public.users.role IS 'admin, user, …: what the platform lets them do.';
COMMENT ON COLUMN public.users.dealership_id IS 'NULL for those of the platform''s operator.';

CREATE TABLE public.vehicles (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL
        CONSTRAINT vehicles_dealership_id_dealerships_id_fk REFERENCES public.dealerships (id),
    vin text CONSTRAINT vehicles_vin_unique UNIQUE,
    stock_number text,
    make text NOT NULL,
    model text NOT NULL,
    year integer NOT NULL,
    trim text,
    exterior_color text,
    interior_color text,
    mileage integer,
    price numeric(12, 2),
    msrp numeric(12, 2),
    body_style text,
    transmission text,
    engine text,
    fuel_type text,
    drivetrain text,
    features jsonb
        CONSTRAINT vehicles_features_is_array CHECK (jsonb_typeof(features) = 'array'),
    description text,
    images jsonb
        CONSTRAINT vehicles_images_is_array CHECK (jsonb_typeof(images) = 'array'),
    status text DEFAULT 'active',
    is_active boolean NOT NULL DEFAULT true,
    url text,
    doors integer,
    advertiser_name text,
    image_type text,
    vehicle_type text,
    condition text,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now()),
    updated_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.vehicles IS
    'The inventory.  ingestd keeps it in agreement with the dealerships'' files.';
COMMENT ON COLUMN public.vehicles.vin IS
    'Vehicle identification number, upper case; NULL where the feed gives none.';
COMMENT ON COLUMN public.vehicles.stock_number IS
    'The dealership''s own number: what a vehicle without VIN is known by.';
COMMENT ON COLUMN public.vehicles.mileage IS 'Miles, unless [target] distance says kilometers.';
COMMENT ON COLUMN public.vehicles.price IS 'Asking price in dollars.';
COMMENT ON COLUMN public.vehicles.msrp IS 'Manufacturer''s suggested retail price in dollars.';
COMMENT ON COLUMN public.vehicles.features IS 'Array of texts.';
COMMENT ON COLUMN public.vehicles.images IS 'Array of URLs, in the dealership''s order.';
COMMENT ON COLUMN public.vehicles.status IS 'active, pending or sold.';
COMMENT ON COLUMN public.vehicles.is_active IS 'Whether it is in the inventory now.';
COMMENT ON COLUMN public.vehicles.advertiser_name IS 'Written by the platform only.';
COMMENT ON COLUMN public.vehicles.updated_at IS
    'Time (UTC) of the transaction that last changed anything; an import that changes nothing'
    ' does not touch it.';

CREATE TABLE public.conversations (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL
        CONSTRAINT conversations_dealership_id_dealerships_id_fk REFERENCES public.dealerships (id),
    customer_name text NOT NULL,
    customer_phone text,
    customer_email text,
    status public.conversation_status NOT NULL DEFAULT 'active',
    escalated_to_user_id integer
        CONSTRAINT conversations_escalated_to_user_id_users_id_fk REFERENCES public.users (id),
    channel text,
    campaign_context text,
    inventory_context text,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now()),
    updated_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.conversations IS 'Talks of customers with the assistant.';
COMMENT ON COLUMN public.conversations.channel IS
    'sms, web, …; NULL where version A1 wrote the row, which keeps it on messages.';

CREATE TABLE public.messages (
    id serial PRIMARY KEY,
    conversation_id integer NOT NULL
        CONSTRAINT messages_conversation_id_conversations_id_fk
        REFERENCES public.conversations (id),
    content text NOT NULL,
    role text,
    is_from_customer boolean,
    channel text,
    metadata jsonb,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.messages IS 'What was said in a conversation.';
COMMENT ON COLUMN public.messages.role IS
    'customer or assistant; NULL where version A1 wrote the row: see is_from_customer.';
COMMENT ON COLUMN public.messages.is_from_customer IS
    'Version A1''s form of role; NULL where another writer gave role only.';

CREATE TABLE public.personas (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL
        CONSTRAINT personas_dealership_id_dealerships_id_fk REFERENCES public.dealerships (id),
    name text NOT NULL,
    description text,
    prompt_template text NOT NULL,
    arguments jsonb NOT NULL DEFAULT '{}',
    is_default boolean DEFAULT false,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now()),
    updated_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.personas IS 'How the assistant speaks for a dealership.';
COMMENT ON COLUMN public.personas.arguments IS 'Tone, features to stress, …: fills the template.';

CREATE TABLE public.api_keys (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL
        CONSTRAINT api_keys_dealership_id_dealerships_id_fk REFERENCES public.dealerships (id),
    key text NOT NULL CONSTRAINT api_keys_key_unique UNIQUE,
    description text,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now()),
    last_used timestamp,
    last_used_at timestamp
);
COMMENT ON TABLE public.api_keys IS 'Keys of external integrations.';
COMMENT ON COLUMN public.api_keys.key IS
    'A hash of the key (SHA-256 will do for a random key), never the key itself.';
COMMENT ON COLUMN public.api_keys.last_used IS 'As the documentation names it.';
COMMENT ON COLUMN public.api_keys.last_used_at IS 'As version A1 names and writes it.';

CREATE TABLE public.prompt_variants (
    id serial PRIMARY KEY,
    name text NOT NULL,
    description text,
    prompt_template text NOT NULL,
    is_control boolean DEFAULT false,
    is_active boolean DEFAULT true,
    dealership_id integer
        CONSTRAINT prompt_variants_dealership_id_dealerships_id_fk
        REFERENCES public.dealerships (id),
    created_at timestamp NOT NULL DEFAULT timezone('utc', now()),
    updated_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.prompt_variants IS 'Prompts that are compared with each other.';

CREATE TABLE public.prompt_metrics (
    id serial PRIMARY KEY,
    variant_id integer NOT NULL
        CONSTRAINT prompt_metrics_variant_id_prompt_variants_id_fk
        REFERENCES public.prompt_variants (id),
    conversation_id integer NOT NULL
        CONSTRAINT prompt_metrics_conversation_id_conversations_id_fk
        REFERENCES public.conversations (id),
    message_id integer NOT NULL
        CONSTRAINT prompt_metrics_message_id_messages_id_fk REFERENCES public.messages (id),
    response_time_ms integer,
    tokens_used integer,
    customer_message_length integer,
    assistant_response_length integer,
    was_escalated boolean DEFAULT false,
    was_successful boolean,
    customer_rating integer,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.prompt_metrics IS 'How a prompt variant did, message by message.';

CREATE TABLE public.prompt_experiments (
    id serial PRIMARY KEY,
    name text NOT NULL,
    description text,
    dealership_id integer
        CONSTRAINT prompt_experiments_dealership_id_dealerships_id_fk
        REFERENCES public.dealerships (id),
    start_date timestamp NOT NULL,
    end_date timestamp,
    is_active boolean DEFAULT true,
    conclusion_notes text,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.prompt_experiments IS 'A comparison of prompt variants.';

CREATE TABLE public.experiment_variants (
    id serial PRIMARY KEY,
    experiment_id integer NOT NULL
        CONSTRAINT experiment_variants_experiment_id_prompt_experiments_id_fk
        REFERENCES public.prompt_experiments (id),
    variant_id integer NOT NULL
        CONSTRAINT experiment_variants_variant_id_prompt_variants_id_fk
        REFERENCES public.prompt_variants (id),
    traffic_allocation integer DEFAULT 50,
    created_at timestamp NOT NULL DEFAULT timezone('utc', now())
);
COMMENT ON TABLE public.experiment_variants IS 'Which variants an experiment compares.';
COMMENT ON COLUMN public.experiment_variants.traffic_allocation IS 'Percent of conversations.';

INSERT INTO ingest.schema_files (number, name) VALUES (2, '002_platform.sql');
