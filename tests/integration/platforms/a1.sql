-- The tables that version A1 of the platform keeps (integer dollars, text[] lists), as far as
-- anything here depends on them.  Written for the tests.

CREATE TYPE conversation_status AS ENUM ('active', 'waiting', 'escalated', 'completed');

CREATE TABLE dealerships (
    id serial PRIMARY KEY,
    name text NOT NULL,
    location text NOT NULL,
    contact_email text NOT NULL,
    contact_phone text NOT NULL,
    domain text,
    handover_email text,
    created_at timestamp NOT NULL DEFAULT now()
);

CREATE TABLE users (
    id serial PRIMARY KEY,
    username text NOT NULL,
    password text NOT NULL,
    name text NOT NULL,
    email text NOT NULL,
    role text NOT NULL DEFAULT 'user',
    dealership_id integer,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT users_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id),
    CONSTRAINT users_email_unique UNIQUE (email),
    CONSTRAINT users_username_unique UNIQUE (username)
);

CREATE TABLE vehicles (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    vin text NOT NULL,
    stock_number text,
    make text NOT NULL,
    model text NOT NULL,
    year integer NOT NULL,
    trim text,
    exterior_color text,
    interior_color text,
    mileage integer,
    price integer,
    msrp integer,
    body_style text,
    transmission text,
    engine text,
    fuel_type text,
    drivetrain text,
    features text[],
    description text,
    images text[],
    status text DEFAULT 'active',
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    url text,
    doors integer,
    advertiser_name text,
    image_type text,
    vehicle_type text,
    condition text,
    CONSTRAINT vehicles_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id),
    CONSTRAINT vehicles_vin_unique UNIQUE (vin)
);

CREATE TABLE personas (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    name text NOT NULL,
    prompt_template text NOT NULL,
    arguments jsonb NOT NULL,
    is_default boolean DEFAULT false,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT personas_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id)
);

CREATE TABLE conversations (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    customer_name text NOT NULL,
    customer_phone text,
    customer_email text,
    status conversation_status NOT NULL DEFAULT 'active',
    escalated_to_user_id integer,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    campaign_context text,
    inventory_context text,
    CONSTRAINT conversations_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id),
    CONSTRAINT conversations_escalated_to_user_id_users_id_fk
        FOREIGN KEY (escalated_to_user_id) REFERENCES users (id)
);

CREATE TABLE messages (
    id serial PRIMARY KEY,
    conversation_id integer NOT NULL,
    content text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    is_from_customer boolean NOT NULL,
    channel text NOT NULL,
    metadata jsonb,
    CONSTRAINT messages_conversation_id_conversations_id_fk
        FOREIGN KEY (conversation_id) REFERENCES conversations (id)
);

CREATE TABLE api_keys (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    key text NOT NULL,
    description text,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamp NOT NULL DEFAULT now(),
    last_used_at timestamp,
    CONSTRAINT api_keys_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id),
    CONSTRAINT api_keys_key_unique UNIQUE (key)
);

CREATE TABLE prompt_experiments (
    id serial PRIMARY KEY,
    name text NOT NULL,
    description text,
    dealership_id integer,
    start_date timestamp NOT NULL,
    end_date timestamp,
    is_active boolean DEFAULT true,
    created_at timestamp NOT NULL DEFAULT now(),
    conclusion_notes text,
    CONSTRAINT prompt_experiments_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id)
);

CREATE TABLE prompt_variants (
    id serial PRIMARY KEY,
    name text NOT NULL,
    description text,
    prompt_template text NOT NULL,
    is_control boolean DEFAULT false,
    is_active boolean DEFAULT true,
    dealership_id integer,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT prompt_variants_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id)
);

CREATE TABLE prompt_metrics (
    id serial PRIMARY KEY,
    variant_id integer NOT NULL,
    conversation_id integer NOT NULL,
    message_id integer NOT NULL,
    response_time_ms integer,
    tokens_used integer,
    customer_message_length integer,
    assistant_response_length integer,
    was_escalated boolean DEFAULT false,
    was_successful boolean,
    customer_rating integer,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT prompt_metrics_conversation_id_conversations_id_fk
        FOREIGN KEY (conversation_id) REFERENCES conversations (id),
    CONSTRAINT prompt_metrics_message_id_messages_id_fk
        FOREIGN KEY (message_id) REFERENCES messages (id),
    CONSTRAINT prompt_metrics_variant_id_prompt_variants_id_fk
        FOREIGN KEY (variant_id) REFERENCES prompt_variants (id)
);

CREATE TABLE experiment_variants (
    id serial PRIMARY KEY,
    experiment_id integer NOT NULL,
    variant_id integer NOT NULL,
    traffic_allocation integer DEFAULT 50,
    created_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT experiment_variants_experiment_id_prompt_experiments_id_fk
        FOREIGN KEY (experiment_id) REFERENCES prompt_experiments (id),
    CONSTRAINT experiment_variants_variant_id_prompt_variants_id_fk
        FOREIGN KEY (variant_id) REFERENCES prompt_variants (id)
);
