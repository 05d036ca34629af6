"""What the sections of a configuration must agree on."""

import pytest

from ingestd.config import parse
from ingestd.crosscheck import cross_checks, did_you_mean, loopback
from ingestd.errors import Misconfigured

BOX = """
[[mailbox]]
name = "inbox"
host = "imap.example.com"
user = "lots@example.com"
password = "secret"
trusted_authserv_ids = ["mx.example.com"]
"""
FEED = """
[[feed]]
name = "lot"
dealership = 1
mode = "full"
sender_proof = "dmarc"
from = ["*@lot.example"]
"""
FOLDER = """
[[folder]]
name = "drop"
path = "/srv/drop"
"""


def faults(text: str) -> dict[str, str]:
    try:
        config = parse(text, {})
    except Misconfigured as error:
        return {fault.path: fault.message for fault in error.faults}
    assert not list(cross_checks(config))
    return {}


def test_a_mailbox_with_a_feed_that_takes_mail_is_right():
    assert faults(BOX + FEED) == {}


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        (BOX + BOX + FEED, "mailbox[inbox].name", "used twice"),
        (FOLDER + FOLDER, "folder[drop].name", "used twice"),
        (FOLDER + FOLDER.replace("drop", "b", 1), "folder[b].path", "already watched by 'drop'"),
        (FEED + FEED, "feed[lot].name", "used twice"),
        (
            BOX + FEED + FOLDER.replace("drop", "inbox", 1),
            "folder[inbox].name",
            "the name of a [[mailbox]] too",
        ),
        (
            BOX + BOX.replace("inbox", "b").replace("imap.", "IMAP.") + FEED,
            "mailbox[b].folder",
            "already watched by 'inbox'",
        ),
        (BOX, "mailbox", "no feed takes mail"),
        (BOX + "imported_folder = 'INBOX'" + FEED, "mailbox[inbox].imported_folder", "another"),
        (BOX + "rejected_folder = 'INBOX'" + FEED, "mailbox[inbox].rejected_folder", "another"),
        (BOX + "plaintext = true" + FEED, "mailbox[inbox].plaintext", "in clear"),
        (
            BOX + "authentication_results = 'microsoft365'" + FEED,
            "mailbox[inbox].authentication_results",
            "outlook.office365.com only",
        ),
        (BOX + FEED + "mailbox = ['inbx']", "feed[lot].mailbox", 'did you mean "inbox"?'),
        (FEED + "folder = ['drip']" + FOLDER, "feed[lot].folder", 'did you mean "drop"?'),
        (BOX + FEED + "reply_to = ['a@lot.example']", "feed[lot].reply_to", "[replies]"),
        (
            BOX + FEED + "reply_to = ['a@lot.example', 'Lots@example.com']",
            "feed[lot].reply_to",
            "would come back",
        ),
        ("[replies]\nhost = 'smtp.example.com'\nplaintext = true", "replies.plaintext", "in clear"),
        (FEED.replace('sender_proof = "dmarc"', ""), "feed[lot].sender_proof", "beside from"),
        (FEED.replace("from", "to").replace("dmarc", "dkim"), "feed[lot].from", "any domain"),
        (FEED.replace("dmarc", "secret_address"), "feed[lot].secret_address", "goes with"),
        (FEED + "secret_address = 'x'", "feed[lot].secret_address", "20 characters"),
        (
            FEED.replace("dmarc", "secret_address") + "secret_address = 'lot@example.com'",
            "feed[lot].secret_address",
            "20 characters",
        ),
        (
            BOX.replace("trusted_authserv_ids = [", "ca_file = '/x' #") + FEED,
            "mailbox[inbox].trusted_authserv_ids",
            "nothing can prove the sender_proof \"dmarc\" of feed 'lot'",
        ),
        (FEED + "[feed.columns]\nprise = ['x']", "feed[lot].columns.prise", '"price"'),
        (FEED + "[feed.defaults]\nvin = 'x'", "feed[lot].defaults.vin", "no default"),
        (FEED + "[feed.defaults]\nyear = 'x'", "feed[lot].defaults.year", "a number"),
        ("[workers]\nprocesses = 3", "database.connections", "which is 5"),
        ("[database]\nembedded = true\nhost = 'h'", "database", "not both"),
    ],
)
def test_what_does_not_agree_is_told_by_its_path(text: str, path: str, words: str):
    assert words in faults(text)[path]


@pytest.mark.parametrize(
    "text",
    [
        BOX.replace("trusted_authserv_ids = [", "check_dkim = true #")
        + FEED.replace("dmarc", "dkim"),
        BOX.replace("trusted_authserv_ids = [", "ca_file = '/x' #")
        + BOX.replace("inbox", "b").replace("INBOX", "B").replace("lots@", "more@")
        + FEED
        + "mailbox = ['b']",
        BOX + FEED.replace("dmarc", "none").replace("from", "to"),
        FOLDER + FEED + "folder = ['drop']",
        BOX
        + FEED.replace("dmarc", "secret_address")
        + "secret_address = 'lot-4f0c9a7e5d2b8136aa0917c4@example.com'",
        BOX.replace("imap.example.com", "localhost") + "plaintext = true" + FEED,
        BOX.replace("imap.example.com", "Outlook.office365.com").replace(
            "trusted_authserv_ids = [", "authentication_results = 'microsoft365' #"
        )
        + FEED,
        BOX
        + FEED
        + "reply_to = ['a@lot.example']\n[replies]\nhost = 'smtp.example.com'\n"
        + "sender = 'lots@example.com'",
        "[replies]\nhost = '127.0.0.1'\nplaintext = true",
    ],
)
def test_what_agrees_is_no_fault(text: str):
    assert faults(text) == {}


def test_this_machine_goes_by_several_names_and_others_only_look_like_it():
    assert all(map(loopback, ("localhost", "LOCALHOST", "127.8.9.1", "::1")))
    assert not any(map(loopback, ("imap.example.com", "127.evil.example", "10.0.0.1", "::2")))


def test_the_nearest_word_is_offered_or_none():
    assert did_you_mean("pirce", ("price", "vin")) == '; did you mean "price"?'
    assert did_you_mean("zzz", ("price", "vin")) == ""


POSITIONS = '[[feed]]\nname = "a"\ndealership = 1\nmode = "full"\npositions = '


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        ('["vin", "prize"]', "no field 'prize'; did you mean \"price\"?"),
        ('["vin", "price", "price"]', "'price' has more than one position"),
        ('["make", ""]', 'must name "vin" or "stock_number"'),
    ],
)
def test_positions_name_each_field_once_and_an_identifier(positions, words):
    assert words in faults(FOLDER + POSITIONS + positions)["feed[a].positions"]


def test_pictures_may_have_several_positions():
    assert not faults(FOLDER + POSITIONS + '["stock_number", "", "", "images", "images"]')


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[target.columns]\nprize = 'p'", "target.columns.prize", 'did you mean "price"?'),
        ("[target.own]\nzzz = 'p'", "target.own.zzz", "there are id, dealership, active"),
        ("[target.status]\ngone = 'p'", "target.status.gone", "there are active, pending, sold"),
        (
            "[target.columns]\nprice = 'p'\nmsrp = 'p'\nmake = ''\nmodel = ''",
            "target.columns",
            "'p' is named more than once",
        ),
    ],
)
def test_what_is_said_of_the_target_names_what_there_is(text, path, words):
    found = faults(text)
    assert list(found) == [path]
    assert words in found[path]


def test_only_a_feed_of_whole_lots_can_deactivate():
    assert (
        "set mode"
        in faults(BOX + FEED.replace("full", "delta") + 'missing = "deactivate"')[
            "feed[lot].missing"
        ]
    )
    assert faults(BOX + FEED + 'missing = "deactivate"') == {}


def test_a_group_feeds_own_dealership_is_one_of_its_map():
    group = '[feed.rooftops]\ncolumn = "DealerID"\nmap = { "7" = %d }'
    assert "must be one of" in faults(BOX + FEED + group % 99)["feed[lot].dealership"]
    assert faults(BOX + FEED + group % 1) == {}
