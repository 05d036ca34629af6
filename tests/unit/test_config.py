"""What a configuration may say, and what is said about one that is wrong."""

import tomllib
from pathlib import Path

import pytest

from ingestd import config
from ingestd.config import SecretRef, parse
from ingestd.errors import Misconfigured
from ingestd.settings import SECTIONS

FEED = '[[feed]]\nname = "lot"\ndealership = 1\nmode = "full"\n'
EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def faults(text: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(Misconfigured) as caught:
        parse(text, environ or {})
    return {fault.path: fault.message for fault in caught.value.faults}


def test_an_empty_file_is_a_configuration_of_defaults():
    assert parse("", {}).http.listen == "127.0.0.1:9716"


def test_the_example_parses():
    assert parse(EXAMPLE.read_text(), {}).feed[0].name == "matteson"


def test_the_example_shows_every_option():
    shown = EXAMPLE.read_text()

    for name, section in SECTIONS.items():
        for option, field in section.model_fields.items():
            key = field.alias or option
            assert f"\n{key} = " in shown or f"# {key} = " in shown or f"[{name}.{key}]" in shown, (
                f"{name}.{key}"
            )


def test_the_example_shows_the_defaults():
    tree = tomllib.loads(EXAMPLE.read_text())
    given = parse(EXAMPLE.read_text(), {})
    defaults = parse("", {})

    for section in ("http", "log", "workers", "limits", "spool"):
        assert getattr(given, section) == getattr(defaults, section)
        assert set(tree[section]) == set(type(getattr(given, section)).model_fields)


def test_every_fault_is_told_at_once_by_its_path():
    text = (
        'state_dri = "x"\n[http]\nlisten = "nowhere"\n[log]\nlevel = "loud"\n'
        '[[feed]]\nname = "lot"\ndealership = 1\nmdoe = "full"\n'
    )

    assert set(faults(text)) == {
        "state_dri",
        "http.listen",
        "log.level",
        "feed[lot].mode",
        "feed[lot].mdoe",
    }


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ('state_dri = "x"', "state_dri", 'did you mean "state_dir"'),
        ("[databse]", "databse", 'did you mean "database"'),
        ("[http]\nlisten_on = 1", "http.listen_on", 'did you mean "listen"'),
        ("[http]\nxyzzy = 1", "http.xyzzy", "no such option"),
        (FEED + 'file = "*.tsv"', "feed[lot].file", 'as a list: ["…"]'),
        ("[feed]\nname = 'lot'", "feed", "write [[feed]], with two brackets"),
        (FEED + 'form = ["a@b"]', "feed[lot].form", 'did you mean "from"?'),
        (
            "[[mailbox]]\nname = 'm'\nhost = 'h'\nuser = 'u'\n[mailbox.oauth2]\nclientid = 'c'",
            "mailbox[m].oauth2.clientid",
            'did you mean "client_id"?',
        ),
        (FEED + "[feed.rooftops]", "feed[lot].rooftops.column", "is required"),
        (
            FEED + '[feed.rooftops]\ncolumn = "D"\nmap = { "1" = 2 }',
            "feed[lot].dealership",
            "must be one of [feed.rooftops] map",
        ),
        (FEED + 'from = ["a@b"]', "feed[lot].sender_proof", "is required beside from"),
        ("[[feed]]\nname = 1\ndealership = 1\nmode = 'full'", "feed[0].name", "string"),
        ('[[feed]]\nname = "lot"\nmode = "full"', "feed[lot].dealership", "dealerships list"),
        ('[[feed]]\nname = "lot"\ndealership = 1', "feed[lot].mode", '"full" if every file'),
        ("[[feed]]\ndealership = 1\nmode = 'full'", "feed[0].name", "is required"),
        (FEED.replace('"lot"', '"a b"'), "feed[a b].name", "is no name"),
        (FEED + FEED, "feed[lot].name", "used twice"),
        (
            FEED + 'folder = ["dorp"]\n[[folder]]\nname = "drop"\npath = "/d"',
            "feed[lot].folder",
            "drop",
        ),
        (FEED + "[feed.columns]\nprize = ['P']", "feed[lot].columns.prize", 'did you mean "price"'),
        (FEED + "[feed.defaults]\nvin = 'x'", "feed[lot].defaults.vin", "no default"),
        (
            "[[folder]]\nname = 'd'\npath = '/d'\nstable_for = '5 weeks'",
            "folder[d].stable_for",
            "24h",
        ),
        (
            "[[folder]]\nname = 'd'\npath = '/d'\nstable_for = 0",
            "folder[d].stable_for",
            "greater than 0",
        ),
        ("[limits]\nfile_size = 'big'", "limits.file_size", "25MiB"),
        ("[http]\nlisten = ':x'", "http.listen", "HOST:PORT"),
        ("[http]\nlisten = 'h:99999'", "http.listen", "HOST:PORT"),
        ("[database]\nembedded = true\nurl = 'postgresql:///x'", "database", "not both"),
        ("[database]\nurl = { env = 'A', file = 'B' }", "database.url", "exactly one"),
        ("[workers]\nprocesses = 3", "database.connections", "which is 5"),
        (FEED + "missing = 'sold'", "feed[lot].missing", "'keep' or 'deactivate'"),
        (FEED + "missing_after = 0", "feed[lot].missing_after", "(given: 0)"),
        (
            FEED.replace("full", "delta") + "missing = 'deactivate'",
            "feed[lot].missing",
            'set mode = "full"',
        ),
        (FEED + "[feed.guard]\nmost_lost = '35'", "feed[lot].guard.most_lost", '"35%"'),
        (FEED + "[feed.guard]\nmost_lost = '135%'", "feed[lot].guard.most_lost", "less than"),
        (FEED + "[feed.guard]\nmost = '35%'", "feed[lot].guard.most", "most_lost"),
        (FEED + "[feed.defaults]\nyear = 'new'", "feed[lot].defaults.year", "must be a number"),
        ("[workers]\nprocesses = 0", "workers.processes", "(given: 0)"),
    ],
)
def test_a_fault_says_what_to_do(text: str, path: str, words: str):
    found = faults(text)

    assert words in found[path]


def test_two_folders_cannot_watch_one_path():
    text = "[[folder]]\nname='a'\npath='/d'\n[[folder]]\nname='b'\npath='/d/'"

    assert "already watched by 'a'" in faults(text)["folder[b].path"]


def test_a_file_that_is_no_toml_says_where():
    assert "line 2" in faults("[http]\nlisten = = 1\n")[""]


def test_a_section_that_is_a_scalar_is_a_fault():
    assert set(faults("database = 3", {"DATABASE_URL": "x"})) == {"database"}
    assert set(faults("http = 3", {"INGESTD_HTTP__LISTEN": "127.0.0.1:1"})) == {"http"}


def test_a_secret_given_wrongly_is_not_repeated():
    text = "[database]\npassword = 12345678"

    assert "12345678" not in str(faults(text))


def test_durations_and_sizes_have_units():
    limits = "[limits]\nrow_size = 7\nfile_size = '25MiB'\n"
    text = limits + "[[folder]]\nname='d'\npath='/d'\nstable_for='1.5m'"
    parsed = parse(text, {})

    assert parsed.limits.file_size == 25 * 1024 * 1024
    assert parsed.folder[0].stable_for == 90


def test_the_environment_outranks_the_file():
    environ = {
        "INGESTD_LOG__LEVEL": "debug",
        "INGESTD_STATE_DIR": "/s",
        "INGESTD_X": "",
        "PATH": "",
    }
    parsed = parse('state_dir = "/t"\n[log]\nlevel = "error"', environ)

    assert (parsed.log.level, parsed.state_dir) == ("debug", "/s")


def test_database_url_wins_over_the_file_and_pg_variables_fill_gaps():
    environ = {"DATABASE_URL": "postgresql://db/rylie", "PGUSER": "u", "PGHOST": "other"}
    database = parse("[database]\nurl = 'postgresql:///no'\nembedded = false", environ).database

    assert config.database_url(database, str(database.url), None) == "postgresql://u@db/rylie"


def test_a_file_that_asks_for_the_embedded_database_ignores_pg_variables():
    assert parse("[database]\nembedded = true", {"PGHOST": "h"}).database.host is None


def test_the_embedded_flag_outranks_everything():
    database = parse("[database]\nurl = 'x'", {"DATABASE_URL": "y"}, embedded=True).database

    assert (database.embedded, database.url) == (True, None)


@pytest.mark.parametrize(
    ("text", "configured"),
    [
        ("", False),
        ("[database]\nuser = 'u'", False),
        ("[database]\nhost = 'h'", True),
        ("[database]\nname = 'rylie'", True),
        ("[database]\nembedded = true", True),
    ],
)
def test_a_database_is_configured_when_something_names_it(text: str, configured: bool):
    assert config.database_configured(parse(text, {}).database) is configured


@pytest.mark.parametrize(
    ("text", "environ", "url"),
    [
        (
            "[database]\nhost='db'\nport=5433\nuser='u@x'\nname='r'",
            {"PGPASSWORD": "p:/%"},
            "postgresql://u%40x:p%3A%2F%25@db:5433/r",
        ),
        ("", {"DATABASE_URL": "postgresql:///d", "PGHOST": "/s"}, "postgresql:///d?host=%2Fs"),
        ("[database]\nhost='/run/pg'\nname='r'", {}, "postgresql:///r?host=%2Frun%2Fpg"),
        (
            "",
            {"DATABASE_URL": "postgres://a:b@h:1/d?sslmode=require"},
            "postgresql://a:b@h:1/d?sslmode=require",
        ),
        (
            "",
            {"DATABASE_URL": "postgresql:///d?host=/s", "PGPORT": "7"},
            "postgresql:///d?host=%2Fs&port=7",
        ),
    ],
)
def test_the_url_is_made_of_the_parts(text: str, environ: dict[str, str], url: str):
    database = parse(text, environ).database
    given = None if database.url is None else str(database.url)
    password = None if database.password is None else str(database.password)

    assert config.database_url(database, given, password) == url


def test_a_url_of_something_else_is_a_fault():
    with pytest.raises(Misconfigured, match="postgresql://"):
        config.database_url(parse("", {}).database, "mysql://x", None)


@pytest.mark.parametrize("url", ["postgresql://u:hu/sh@h:abc/d", "postgresql://[::1/d"])
def test_a_url_that_cannot_be_taken_apart_is_a_fault_that_repeats_nothing_of_it(url):
    with pytest.raises(Misconfigured) as caught:
        config.database_url(parse("", {}).database, url, None)

    assert "must be %-quoted" in str(caught.value)
    assert "hu" not in str(caught.value)


def test_a_secret_may_lie_elsewhere():
    parsed = parse("[database]\nurl = { credential = 'database_url' }", {})

    assert parsed.database.url == SecretRef(credential="database_url")


def test_a_secret_is_not_in_the_repr():
    assert "hush" not in repr(parse("[database]\npassword = 'hush'", {}))
