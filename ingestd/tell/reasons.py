"""PURE  The closed sets of reasons, as metrics and documents have them.

Each ends with ``OTHER``, for one that is not known there.
"""

OTHER = "other"

#: Why a file, or a delivery without one, is refused as a whole.
FILE_REASONS = (
    "no_feed",
    "several_feeds",
    "unproven_sender",
    "empty",
    "no_table",
    "not_a_table",
    "no_header",
    "no_identifier_column",
    "no_rooftop_column",
    "no_usable_row",
    "not_an_inventory",
    "shifted_columns",
    "rows_alike",
    "prices_alike",
    "too_large",
    "archive_member_too_large",
    "too_many_members",
    "encrypted_archive",
    "unreadable_archive",
    "nested_archive",
    "key_taken",
    "internal_error",
    OTHER,
)

#: Why a file is held as a whole.
HOLD_REASONS = (
    "rejected_rows",
    "unreadable_column",
    "price_jump",
    "another_lot",
    "other_dealer",
    "several_dealers",
    OTHER,
)

#: Why a row is not loaded.
ROW_REASONS = (
    "no_identifier",
    "bad_vin",
    "vin_repeated",
    "too_few_cells",
    "too_many_cells",
    "row_too_large",
    "broken_quotes",
    "cut_off",
    "footer",
    "shifted",
    "other_columns",
    "vin_missing",
    "make_missing",
    "model_missing",
    "year_missing",
    "ambiguous_stock_number",
    "vin_of_other_dealership",
    "unknown_rooftop",
    "does_not_fit",
    OTHER,
)

#: Why a cell is not used though its row is.
WARNING_REASONS = (
    "implausible_price",
    "unreadable_number",
    "unreadable_year",
    "unreadable_list",
    "unreadable_text",
    "mojibake",
    "bad_vin",
    "junk_vin",
    "vin_repeated",
    "check_digit",
    "model_year",
    "provisional_vin",
    "short_vin",
    "vin_stored_twice",
    "unknown_status",
    "bad_url",
    "junk_stock_number",
    "required_blank",
    "blank_column",
    "stray_bytes",
    "surplus_cells",
    "price_not_taken",
    "prices_in_cents",
    "does_not_fit",
    "currency",
    "absence_suspended",
    OTHER,
)
