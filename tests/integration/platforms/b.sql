-- The tables that version B of the platform keeps (cents, json lists, a VIN once a dealership), as
-- far as anything here depends on them.  Written for the tests; customers and leads are only what
-- the other tables refer to.

CREATE TABLE dealerships (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    contact_email varchar(255) NOT NULL,
    contact_phone varchar(50),
    created_at timestamp DEFAULT now(),
    subdomain varchar(100) NOT NULL,
    address text,
    city varchar(100),
    state varchar(50),
    zip varchar(20),
    website varchar(255),
    description text,
    logo_url varchar(255),
    primary_color varchar(20) DEFAULT '#000000',
    secondary_color varchar(20) DEFAULT '#ffffff',
    accent_color varchar(20) DEFAULT '#4f46e5',
    font_family varchar(100) DEFAULT 'Inter, system-ui, sans-serif',
    persona_name varchar(100) DEFAULT 'Rylie',
    persona_tone varchar(50) DEFAULT 'friendly',
    persona_template text,
    welcome_message text,
    operation_mode varchar(50) DEFAULT 'rylie_ai',
    ai_config json DEFAULT '{}',
    agent_config json DEFAULT '{}',
    lead_routing json DEFAULT '{}',
    active boolean DEFAULT true,
    settings json DEFAULT '{}',
    updated_at timestamp DEFAULT now(),
    CONSTRAINT dealerships_subdomain_unique UNIQUE (subdomain)
);

CREATE TABLE users (
    id serial PRIMARY KEY,
    username varchar(100),
    password varchar(255),
    name varchar(255),
    email varchar(255) NOT NULL,
    role varchar(50) DEFAULT 'user',
    dealership_id integer,
    created_at timestamp DEFAULT now(),
    is_verified boolean DEFAULT false,
    verification_token varchar(255),
    reset_token varchar(255),
    reset_token_expiry timestamp,
    last_login timestamp,
    updated_at timestamp DEFAULT now(),
    CONSTRAINT users_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE SET NULL,
    CONSTRAINT users_email_unique UNIQUE (email),
    CONSTRAINT users_username_unique UNIQUE (username)
);
CREATE INDEX user_dealership_idx ON users (dealership_id);
CREATE INDEX user_email_idx ON users (email);

CREATE TABLE vehicles (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    vin varchar(17) NOT NULL,
    stock_number varchar(50),
    make varchar(100) NOT NULL,
    model varchar(100) NOT NULL,
    year integer NOT NULL,
    trim varchar(100),
    exterior_color varchar(100),
    interior_color varchar(100),
    mileage integer,
    price integer,
    msrp integer,
    body_style varchar(100),
    transmission varchar(100),
    engine varchar(255),
    fuel_type varchar(50),
    drivetrain varchar(100),
    features json DEFAULT '[]',
    description text,
    images json DEFAULT '[]',
    status varchar(50) DEFAULT 'Available',
    is_active boolean DEFAULT true,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    condition varchar(50) DEFAULT 'new',
    ext_color varchar(100),
    int_color varchar(100),
    fuel_economy integer,
    sale_price integer,
    certified boolean DEFAULT false,
    category_tags json DEFAULT '[]',
    video_url varchar(255),
    last_seen timestamp DEFAULT now(),
    CONSTRAINT vehicles_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE CASCADE,
    CONSTRAINT unique_vin UNIQUE (dealership_id, vin)
);
CREATE INDEX vehicle_dealership_idx ON vehicles (dealership_id);

CREATE TABLE customers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dealership_id integer NOT NULL REFERENCES dealerships (id) ON DELETE CASCADE
);

CREATE TABLE leads (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dealership_id integer NOT NULL REFERENCES dealerships (id) ON DELETE CASCADE
);

CREATE TABLE personas (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    name varchar(255) NOT NULL,
    prompt_template text NOT NULL,
    arguments json DEFAULT '{}',
    is_default boolean DEFAULT false,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    CONSTRAINT personas_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE CASCADE
);

CREATE TABLE conversations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dealership_id integer NOT NULL,
    status varchar(50) DEFAULT 'active',
    channel varchar(50),
    created_at timestamp NOT NULL DEFAULT now(),
    updated_at timestamp NOT NULL DEFAULT now(),
    lead_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    assigned_user_id integer,
    subject varchar(255),
    last_message_at timestamp,
    message_count integer DEFAULT 0,
    is_ai_assisted boolean DEFAULT true,
    ai_persona_id integer,
    external_thread_id varchar(255),
    tags json DEFAULT '[]',
    priority varchar(20) DEFAULT 'medium',
    closed_at timestamp,
    CONSTRAINT conversations_ai_persona_id_personas_id_fk
        FOREIGN KEY (ai_persona_id) REFERENCES personas (id),
    CONSTRAINT conversations_assigned_user_id_users_id_fk
        FOREIGN KEY (assigned_user_id) REFERENCES users (id),
    CONSTRAINT conversations_customer_id_customers_id_fk
        FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE,
    CONSTRAINT conversations_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE CASCADE,
    CONSTRAINT conversations_lead_id_leads_id_fk
        FOREIGN KEY (lead_id) REFERENCES leads (id) ON DELETE CASCADE
);
CREATE INDEX conversations_assigned_user_idx ON conversations (assigned_user_id);
CREATE INDEX conversations_customer_idx ON conversations (customer_id);
CREATE INDEX conversations_dealership_idx ON conversations (dealership_id);
CREATE INDEX conversations_last_message_idx ON conversations (last_message_at);
CREATE INDEX conversations_lead_idx ON conversations (lead_id);
CREATE INDEX conversations_status_idx ON conversations (status);

CREATE TABLE messages (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id uuid NOT NULL,
    content text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now(),
    content_type varchar(50) DEFAULT 'text',
    subject varchar(255),
    type varchar(50) NOT NULL,
    sender varchar(20) NOT NULL,
    sender_user_id integer,
    sender_name varchar(100),
    sender_email varchar(255),
    is_read boolean DEFAULT false,
    read_at timestamp,
    external_message_id varchar(255),
    in_reply_to uuid,
    ai_model varchar(100),
    ai_confidence numeric(3,2),
    processing_time integer,
    attachments json DEFAULT '[]',
    sentiment varchar(20),
    entities json DEFAULT '{}',
    keywords json DEFAULT '[]',
    updated_at timestamp NOT NULL DEFAULT now(),
    CONSTRAINT messages_conversation_id_conversations_id_fk
        FOREIGN KEY (conversation_id) REFERENCES conversations (id) ON DELETE CASCADE,
    CONSTRAINT messages_sender_user_id_users_id_fk
        FOREIGN KEY (sender_user_id) REFERENCES users (id)
);
CREATE INDEX messages_conversation_idx ON messages (conversation_id);
CREATE INDEX messages_created_at_idx ON messages (created_at);
CREATE INDEX messages_external_id_idx ON messages (external_message_id);
CREATE INDEX messages_in_reply_to_idx ON messages (in_reply_to);
CREATE INDEX messages_sender_idx ON messages (sender);
CREATE INDEX messages_type_idx ON messages (type);

CREATE TABLE api_keys (
    id serial PRIMARY KEY,
    dealership_id integer NOT NULL,
    key varchar(255) NOT NULL,
    description text,
    is_active boolean DEFAULT true,
    created_at timestamp DEFAULT now(),
    CONSTRAINT api_keys_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_key_unique UNIQUE (key)
);

CREATE TABLE prompt_experiments (
    id serial PRIMARY KEY,
    name text NOT NULL,
    description text,
    dealership_id integer NOT NULL,
    start_date timestamp NOT NULL,
    end_date timestamp NOT NULL,
    is_active boolean DEFAULT false,
    created_at timestamp DEFAULT now(),
    traffic_percentage integer NOT NULL DEFAULT 50,
    status text NOT NULL DEFAULT 'draft',
    primary_metric text NOT NULL,
    secondary_metrics json DEFAULT '[]',
    updated_at timestamp DEFAULT now(),
    CONSTRAINT prompt_experiments_dealership_id_dealerships_id_fk
        FOREIGN KEY (dealership_id) REFERENCES dealerships (id) ON DELETE CASCADE
);

CREATE TABLE prompt_variants (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    prompt_template text NOT NULL,
    is_control boolean NOT NULL DEFAULT false,
    created_at timestamp DEFAULT now(),
    experiment_id integer NOT NULL,
    traffic_allocation integer NOT NULL DEFAULT 50,
    CONSTRAINT prompt_variants_experiment_id_prompt_experiments_id_fk
        FOREIGN KEY (experiment_id) REFERENCES prompt_experiments (id) ON DELETE CASCADE
);

CREATE TABLE prompt_metrics (
    id serial PRIMARY KEY,
    variant_id integer NOT NULL,
    conversation_id integer NOT NULL,
    message_id integer NOT NULL,
    created_at timestamp DEFAULT now(),
    experiment_id integer NOT NULL,
    metric_name text NOT NULL,
    metric_value integer NOT NULL,
    CONSTRAINT prompt_metrics_experiment_id_prompt_experiments_id_fk
        FOREIGN KEY (experiment_id) REFERENCES prompt_experiments (id) ON DELETE CASCADE,
    CONSTRAINT prompt_metrics_variant_id_prompt_variants_id_fk
        FOREIGN KEY (variant_id) REFERENCES prompt_variants (id) ON DELETE CASCADE
);

CREATE TABLE experiment_variants (
    id serial PRIMARY KEY,
    experiment_id integer NOT NULL,
    created_at timestamp DEFAULT now(),
    persona_id integer NOT NULL,
    is_control boolean NOT NULL DEFAULT false,
    traffic_percentage integer NOT NULL DEFAULT 50,
    CONSTRAINT experiment_variants_experiment_id_prompt_experiments_id_fk
        FOREIGN KEY (experiment_id) REFERENCES prompt_experiments (id) ON DELETE CASCADE,
    CONSTRAINT experiment_variants_persona_id_personas_id_fk
        FOREIGN KEY (persona_id) REFERENCES personas (id) ON DELETE CASCADE
);
