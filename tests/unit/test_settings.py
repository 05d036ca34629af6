"""The sections of the configuration: what their options may be."""

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from ingestd.settings import (
    SECTIONS,
    Config,
    Duration,
    Folder,
    Http,
    Name,
    Patterns,
    SecretRef,
    Size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("5s", 5), ("1.5m", 90), ("24h", 86400), ("7d", 604800), (3, 3)],
)
def test_a_duration_is_a_number_with_a_unit(text, seconds):
    assert TypeAdapter(Duration).validate_python(text) == seconds


@pytest.mark.parametrize("text", ["5", "5 weeks", "s", "", "-5s", "0s", 0])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512B", 512), ("2KiB", 2048), ("25MiB", 26214400), ("1GiB", 1 << 30), (7, 7)],
)
def test_a_size_is_a_whole_number_with_a_unit(text, size):
    assert TypeAdapter(Size).validate_python(text) == size


@pytest.mark.parametrize("text", ["25MB", "1.5GiB", "big", 0])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(text)


@pytest.mark.parametrize("name", ["lot", "Lot-1_a.b", "1"])
def test_a_name_is_fit_for_a_folder(name):
    assert TypeAdapter(Name).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "a b", "../x", ".x", "a/b", "x" * 65, "ü"])
def test_a_name_that_is_unfit_for_a_folder_is_refused(name):
    with pytest.raises(ValidationError, match="is no name"):
        TypeAdapter(Name).validate_python(name)


@pytest.mark.parametrize("listen", ["127.0.0.1:9716", "[::1]:80", "localhost:65535"])
def test_an_address_has_host_and_port(listen):
    assert Http(listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["9716", ":9716", "h:", "h:x", "h:65536"])
def test_an_address_without_one_of_them_is_refused(listen):
    with pytest.raises(ValidationError, match="HOST:PORT"):
        Http(listen=listen)


def test_patterns_are_those_of_a_shell():
    assert TypeAdapter(Patterns).validate_python(["*.tsv", "[ab]?"]) == ("*.tsv", "[ab]?")


@pytest.mark.parametrize("given", [{}, {"env": "A", "file": "B"}])
def test_a_secret_lies_in_exactly_one_place(given):
    with pytest.raises(ValidationError, match="exactly one"):
        SecretRef(**given)


def test_a_secret_may_be_what_a_command_prints():
    assert SecretRef(command=("pass", "show", "x")).command == ("pass", "show", "x")


def test_unknown_options_are_refused_in_every_section():
    sections: list[type[BaseModel]] = [*SECTIONS.values(), Config]
    for section in sections:
        with pytest.raises(ValidationError, match="Extra inputs"):
            section.model_validate({"xyzzy": 1})


def test_a_section_cannot_be_changed():
    folder = Folder(name="drop", path="/d")
    with pytest.raises(ValidationError):
        folder.path = "/e"  # type: ignore[misc]
