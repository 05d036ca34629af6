-- The tables that version C of the platform keeps (numeric dollars, no is_active, no stock number,
-- no key on the VIN), as far as anything here depends on them.  Written for the tests.

CREATE TABLE dealerships (
    id serial PRIMARY KEY,
    name varchar(100) NOT NULL,
    contact_email varchar(100),
    contact_phone varchar(20),
    created_at timestamp NOT NULL DEFAULT now(),
    subdomain varchar(100) NOT NULL,
    address varchar(255),
    city varchar(100),
    state varchar(50),
    zip varchar(20),
    settings json,
    updated_at timestamp NOT NULL DEFAULT now(),
    country varchar(50),
    timezone varchar(50) DEFAULT 'America/New_York',
    is_active boolean NOT NULL DEFAULT true,
    CONSTRAINT dealerships_subdomain_unique UNIQUE (subdomain)
);
CREATE INDEX dealership_contact_email_idx ON dealerships (contact_email);
CREATE INDEX dealership_is_active_idx ON dealerships (is_active);
CREATE INDEX dealerships_name_idx ON dealerships (name);
CREATE INDEX subdomain_idx ON dealerships (subdomain);

CREATE TABLE users (
    id serial PRIMARY KEY,
    username varchar(100) NOT NULL,
    name varchar(255),
    email varchar(255) NOT NULL,
    role varchar(50) NOT NULL DEFAULT 'user',
    dealership_id integer,
    created_at timestamp NOT NULL DEFAULT now(),
    is_verified boolean NOT NULL DEFAULT false,
    last_login timestamp,
    updated_at timestamp NOT NULL DEFAULT now(),
    password_hash varchar(255),
    CONSTRAINT users_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE SET NULL
);
CREATE INDEX users_dealership_id_idx ON users (dealership_id);
CREATE INDEX email_idx ON users (email);
CREATE INDEX users_name_idx ON users (name);
CREATE INDEX username_idx ON users (username);

CREATE TABLE vehicles (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    vin varchar(17) NOT NULL,
    make varchar(50),
    model varchar(50),
    year integer,
    trim varchar(50),
    exterior_color varchar(50),
    interior_color varchar(50),
    mileage integer,
    price numeric(10,2),
    body_style varchar(50),
    transmission varchar(50),
    engine varchar(100),
    fuel_type varchar(50),
    features json,
    description text,
    images json,
    status varchar(50) NOT NULL DEFAULT 'available',
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    metadata json
);
CREATE INDEX make_model_idx ON vehicles (make, model);
CREATE INDEX vehicle_dealership_id_idx ON vehicles (dealership_id);
CREATE INDEX vehicle_status_idx ON vehicles (status);
CREATE INDEX vin_idx ON vehicles (vin);
CREATE INDEX year_idx ON vehicles (year);

CREATE TABLE personas (
    id serial PRIMARY KEY,
    dealership_id integer,
    name varchar(100) NOT NULL,
    description text,
    prompt_template text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    system_prompt text,
    is_active boolean NOT NULL DEFAULT true,
    metadata json
);
CREATE INDEX persona_dealership_id_idx ON personas (dealership_id);
CREATE INDEX persona_name_idx ON personas (name);

CREATE TABLE conversations (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    status varchar(50) NOT NULL DEFAULT 'open',
    channel varchar(50) NOT NULL DEFAULT 'web',
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    customer_id integer,
    subject varchar(255),
    last_message_at timestamp NOT NULL DEFAULT now(),
    user_id integer,
    assigned_agent_id integer
);
CREATE INDEX assigned_agent_id_idx ON conversations (assigned_agent_id);
CREATE INDEX conversations_channel_idx ON conversations (channel);
CREATE INDEX customer_id_idx ON conversations (customer_id);
CREATE INDEX conversations_dealership_id_idx ON conversations (dealership_id);
CREATE INDEX last_message_at_idx ON conversations (last_message_at);
CREATE INDEX status_idx ON conversations (status);
CREATE INDEX user_id_idx ON conversations (user_id);

CREATE TABLE messages (
    id serial PRIMARY KEY,
    conversation_id integer NOT NULL,
    content text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    metadata json,
    sender varchar(100) NOT NULL,
    updated_at timestamp NOT NULL DEFAULT now(),
    sender_type varchar(50) NOT NULL DEFAULT 'user'
);
CREATE INDEX conversation_id_idx ON messages (conversation_id);
CREATE INDEX sender_idx ON messages (sender);
CREATE INDEX sender_type_idx ON messages (sender_type);

CREATE TABLE api_keys (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    key varchar(64) NOT NULL,
    is_active boolean NOT NULL DEFAULT true,
    created_at timestamp NOT NULL DEFAULT now(),
    last_used_at timestamp,
    name varchar(100) NOT NULL,
    user_id integer NOT NULL,
    permissions json,
    expires_at timestamp,
    updated_at timestamp NOT NULL DEFAULT now()
);
CREATE INDEX api_dealership_id_idx ON api_keys (dealership_id);
CREATE INDEX api_user_id_idx ON api_keys (user_id);
CREATE INDEX api_keys_is_active_idx ON api_keys (is_active);
CREATE INDEX key_idx ON api_keys (key);

CREATE TABLE prompt_experiments (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    description text,
    dealership_id integer NOT NULL,
    start_date timestamp NOT NULL,
    end_date timestamp NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    traffic_percentage integer NOT NULL DEFAULT 50,
    status varchar(20) NOT NULL DEFAULT 'draft',
    primary_metric varchar(100) NOT NULL,
    secondary_metrics json,
    updated_at timestamp NOT NULL DEFAULT now(),
    hypothesis text,
    confidence_level numeric(3,2) DEFAULT 0.95,
    minimum_sample_size integer DEFAULT 100,
    results json,
    winner_variant_id integer
);
CREATE INDEX prompt_experiments_dealership_id_idx ON prompt_experiments (dealership_id);
CREATE INDEX prompt_experiments_status_idx ON prompt_experiments (status);

CREATE TABLE prompt_variants (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    description text,
    prompt_template text NOT NULL,
    is_control boolean NOT NULL DEFAULT false,
    is_active boolean NOT NULL DEFAULT true,
    dealership_id integer,
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    system_prompt text,
    metadata json
);
CREATE INDEX prompt_variants_dealership_id_idx ON prompt_variants (dealership_id);
CREATE INDEX prompt_variants_name_idx ON prompt_variants (name);

CREATE TABLE prompt_metrics (
    id serial PRIMARY KEY,
    variant_id integer NOT NULL,
    metric_name varchar(100) NOT NULL,
    metric_value numeric(10,4) NOT NULL,
    timestamp timestamp NOT NULL DEFAULT now(),
    metadata json
);
CREATE INDEX prompt_metrics_metric_name_idx ON prompt_metrics (metric_name);
CREATE INDEX prompt_metrics_timestamp_idx ON prompt_metrics ("timestamp");
CREATE INDEX prompt_metrics_variant_id_idx ON prompt_metrics (variant_id);

CREATE TABLE experiment_variants (
    id serial PRIMARY KEY,
    experiment_id integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    persona_id integer NOT NULL,
    is_control boolean NOT NULL DEFAULT false,
    traffic_percentage integer NOT NULL DEFAULT 50,
    name varchar(255) NOT NULL,
    total_conversations integer NOT NULL DEFAULT 0,
    total_messages integer NOT NULL DEFAULT 0,
    avg_response_time_ms integer,
    handover_rate numeric(5,4),
    customer_satisfaction numeric(3,2)
);
CREATE INDEX experiment_variants_experiment_id_idx ON experiment_variants (experiment_id);
CREATE INDEX experiment_variants_persona_id_idx ON experiment_variants (persona_id);
