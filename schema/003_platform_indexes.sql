-- Indexes of the platform's tables: every foreign key, the fields that are commonly asked for,
-- and the text search of vehicles.  Names are those of the platform where it has the index.

CREATE INDEX users_dealership_id_idx ON public.users (dealership_id);

-- Both serve the foreign key; every import and every inventory page asks one of the two.
CREATE INDEX vehicles_dealership_id_is_active_idx ON public.vehicles (dealership_id, is_active);
CREATE INDEX vehicles_dealership_id_stock_number_idx
    ON public.vehicles (dealership_id, stock_number);
CREATE INDEX vehicles_make_model_year_idx ON public.vehicles (make, model, year);
CREATE INDEX vehicles_price_idx ON public.vehicles (price);

CREATE INDEX conversations_dealership_id_idx ON public.conversations (dealership_id);
CREATE INDEX conversations_escalated_user_idx ON public.conversations (escalated_to_user_id);
CREATE INDEX conversations_status_idx ON public.conversations (status);
CREATE INDEX conversations_created_at_idx ON public.conversations (created_at);
CREATE INDEX conversations_customer_contact_idx
    ON public.conversations (customer_phone, customer_email);

CREATE INDEX messages_conversation_time_idx ON public.messages (conversation_id, created_at);

CREATE INDEX personas_dealership_id_idx ON public.personas (dealership_id);

CREATE INDEX api_keys_dealership_id_idx ON public.api_keys (dealership_id);

CREATE INDEX prompt_variants_dealership_id_idx ON public.prompt_variants (dealership_id);
CREATE INDEX prompt_metrics_variant_id_idx ON public.prompt_metrics (variant_id);
CREATE INDEX prompt_metrics_conversation_id_idx ON public.prompt_metrics (conversation_id);
CREATE INDEX prompt_metrics_message_id_idx ON public.prompt_metrics (message_id);
CREATE INDEX prompt_experiments_dealership_id_idx ON public.prompt_experiments (dealership_id);
CREATE INDEX experiment_variants_experiment_id_idx ON public.experiment_variants (experiment_id);
CREATE INDEX experiment_variants_variant_id_idx ON public.experiment_variants (variant_id);

-- Text search.  Lean on purpose: `simple`, and no description or features, which would cost each
-- row that is written twenty times as much.  An index on an expression and not a generated column,
-- so that SELECT * and the platform's reads see no column more, and an UPDATE of the price alone
-- computes nothing.  The function has the expression's name, so that nobody need repeat it:
--     SELECT * FROM vehicles WHERE vehicle_search(vehicles) @@ websearch_to_tsquery('simple', $1)
-- It must stay word for word the expression of the index, into which the planner unfolds it.

CREATE FUNCTION public.vehicle_search(vehicle public.vehicles) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $body$
    SELECT to_tsvector('simple'::regconfig,
        vehicle.year::text || ' ' || vehicle.make || ' ' || vehicle.model
        || ' ' || coalesce(vehicle.trim, '') || ' ' || coalesce(vehicle.body_style, '')
        || ' ' || coalesce(vehicle.exterior_color, '') || ' ' || coalesce(vehicle.engine, ''))
    $body$;
COMMENT ON FUNCTION public.vehicle_search(public.vehicles) IS
    'Words of year, make, model, trim, body, colour and engine; served by vehicles_search_idx.';

CREATE INDEX vehicles_search_idx ON public.vehicles USING gin (
    to_tsvector('simple'::regconfig,
        year::text || ' ' || make || ' ' || model
        || ' ' || coalesce(trim, '') || ' ' || coalesce(body_style, '')
        || ' ' || coalesce(exterior_color, '') || ' ' || coalesce(engine, '')));

INSERT INTO ingest.schema_files (number, name) VALUES (3, '003_platform_indexes.sql');
