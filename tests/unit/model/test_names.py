"""Names as databases and eyes see them."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aims_mlops.model.names import _shapes, alike, alike_glob, folded, is_plain, is_unseen, same, skeleton
from aims_mlops.model.policy import Promotion
from aims_mlops.model.subject import Target
from tests.builders import policy, project, system

# Beyond these planes are ideographs, private characters and nothing; skeletons of all of them were looked at once.
DRAWN = range(0x80, 0x20000)
PROMOTION = Promotion(("champion",), ("Production",), ("prod.*", "live"))
UNSEEN = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u0301\u0308\u061c\u115f\u3164\u2800\x00\x07\x7f\u202e\ufe0f\U000e0041"
)
FULL_WIDTH = "".join(chr(ord(letter) + 0xFEE0) for letter in "champion")
MATHEMATICAL = "".join(chr(0x1D41A + ord(letter) - ord("a")) for letter in "champion")


@pytest.mark.parametrize(
    ("text", "database"),
    [
        pytest.param("champion\n", True, id="a line feed, which MLflow's pattern lets through"),
        pytest.param(" champion ", True, id="space around it"),
        pytest.param(FULL_WIDTH, True, id="full width"),
        pytest.param(MATHEMATICAL, True, id="mathematical letters"),
        pytest.param("cham\u200bpion", True, id="a zero-width space"),
        pytest.param("ch\u00e1mpi\u00f6n", True, id="accents"),
        pytest.param("champio\u0301n", True, id="a combining accent"),
        pytest.param("CHAMP\u0130ON", True, id="a dotted capital I"),
        pytest.param("ch\u0430mpion", False, id="a Cyrillic a"),
        pytest.param("champ\u0131on", False, id="a dotless i"),
        pytest.param("CHAMP\u0399ON", False, id="a Greek capital iota"),
        pytest.param("\u03f2\u04bb\u0251\u043cpion", False, id="Greek, Cyrillic and phonetic"),
        pytest.param("\u1d04\u029c\u1d00\u1d0d\u1d18\u026a\u1d0f\u0274", False, id="small capitals"),
        pytest.param("champi\u00f8n", False, id="an o with a stroke"),
        pytest.param("champi0n", False, id="a zero"),
        pytest.param("champlon", False, id="an l"),
        pytest.param("charnpion", False, id="r and n"),
        pytest.param("\u0441harnpi0n", False, id="all of it at once"),
    ],
)
def test_what_a_database_or_an_eye_takes_for_champion_is_found(text: str, *, database: bool) -> None:
    assert not same(text, "champion")
    assert (folded(text) == "champion") is database
    assert alike(text, "champion")
    assert PROMOTION.resembles(Target("alias", text)) == "champion"


@pytest.mark.parametrize("text", ["champion", "CHAMPION", "Champion"])
def test_the_protected_alias_itself_is_no_look_alike(text: str) -> None:
    assert same(text, "champion")
    assert PROMOTION.resembles(Target("alias", text)) is None


@pytest.mark.parametrize(
    "text",
    [
        "challenger",
        "dev",
        "champion-2",
        "champions",
        "campion",
        "candidate",
        "\u672c\u756a",
        "gro\u0308\u00dfe",
        "Production",
    ],
)
def test_an_ordinary_alias_looks_like_nothing(text: str) -> None:
    assert PROMOTION.resembles(Target("alias", text)) is None


@pytest.mark.parametrize(
    ("name", "glob"),
    [
        ("prod.income", None),
        ("PROD.income", None),
        ("Live", None),
        ("income", None),
        ("production", None),
        ("my.prod.income", None),
        ("\u0440rod.income", "prod.*"),
        ("pr0d.income", "prod.*"),
        ("prod\u2024income", "prod.*"),
        (" prod.income", "prod.*"),
        ("prod.income\u200b", "prod.*"),
        ("prod.inc\u0000ome", "prod.*"),
        ("l\u0456ve", "live"),
        ("L1VE", "live"),
    ],
    ids=ascii,
)
def test_a_look_alike_of_a_protected_name_is_found_by_its_glob(name: str, glob: str | None) -> None:
    assert PROMOTION.resembles(Target("name", name)) == glob


@pytest.mark.parametrize(
    ("glob", "name", "found"),
    [
        ("[a-c]-model", "\u0412-model", True),
        ("[a-c]-model", "d-model", False),
        ("[!0-9]-model", "\u0412-mode1", True),
        ("[!0-9]-model", "\uff13-model", False),
        ("team-?", "t\u0435am-x", True),
        ("team-?", "t\u0435am-xy", False),
        ("a[b", "A[B", True),
        ("a[b", "ab", False),
        ("income", "lncome", True),
        ("*", "anything", True),
    ],
    ids=ascii,
)
def test_globs_are_compared_in_all_their_parts(glob: str, name: str, found: bool) -> None:  # noqa: FBT001
    assert alike_glob(name, glob) is found


CLAIMED = project(
    system(policy(promotion=PROMOTION), models=("income", "team-*")),
    system(policy(promotion=Promotion(registered_models=("pr0d.*",))), id="odd", models=("odd", "Odd*")),
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("income", None, id="claimed"),
        pytest.param("team-a", None, id="claimed by glob"),
        pytest.param("Income", "'income', which the system income claims", id="case alone"),
        pytest.param("TEAM-a", "'team-*', which the system income claims", id="case of a glob"),
        pytest.param("inc\u043eme", "'income', which the system income claims", id="a Cyrillic o"),
        pytest.param("income ", "'income', which the system income claims", id="a space"),
        pytest.param("lncome", None, id="an ordinary name, though an l looks like an I"),
        pytest.param("incorne", None, id="an ordinary name, though rn looks like m"),
        pytest.param("churn", None, id="another name"),
        pytest.param("Odds", None, id="claimed, and odd is alike"),
        pytest.param("prod.x", None, id="protected"),
        pytest.param("pr0d.x", None, id="protected by another system"),
        pytest.param("pr\u043ed.x", "the protected name 'prod.*'", id="alike to both"),
        pytest.param("team-1\u200b", None, id="claimed, whatever is hidden in it"),
    ],
)
def test_a_name_is_held_against_what_is_claimed_and_protected(name: str, words: str | None) -> None:
    assert CLAIMED.resembles(name) == words


def test_a_claim_does_not_make_a_look_alike_of_a_protected_name_honest() -> None:
    everything = project(system(policy(promotion=PROMOTION), models=("*",)))
    assert everything.resembles("\u0440rod.income") == "the protected name 'prod.*'"
    assert everything.resembles("Income") is None


@given(st.text(max_size=40))
@example("\u0345\u0399")
@example("\u1e9e\u03f2\u0130")
def test_folding_and_reading_twice_change_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert skeleton(skeleton(text)) == skeleton(text)


def test_the_table_reads_other_characters_as_short_plain_text() -> None:
    table = _shapes()
    assert len(table) > 1000
    for number, reading in table.items():
        assert number > 0x7F
        assert re.fullmatch(r"[a-z0-9]{1,4}|[._-]", reading), reading


def test_no_single_character_changes_when_it_is_read_twice() -> None:
    for character in map(chr, DRAWN):
        assert folded(folded(character)) == folded(character), hex(ord(character))
        assert skeleton(skeleton(character)) == skeleton(character), hex(ord(character))


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(UNSEEN)), min_size=1, max_size=12))
def test_nothing_unseen_hides_a_protected_alias(insertions: list[tuple[int, str]]) -> None:
    text = "champion"
    for place, character in insertions:
        text = text[:place] + character + text[place:]
    assert PROMOTION.resembles(Target("alias", text)) == "champion"


def _readings() -> dict[str, list[str]]:
    """Every character that stands for a letter of `champion`, by that letter."""
    read: dict[str, list[str]] = {}
    for character in map(chr, DRAWN):
        read.setdefault(skeleton(character), []).append(character)
    return {letter: [letter, *read[skeleton(letter)]] for letter in "champion"}


def _mixtures() -> st.SearchStrategy[str]:
    readings = _readings()
    return st.tuples(*(st.sampled_from(readings[letter]) for letter in "champion")).map("".join)


@given(st.deferred(_mixtures))
def test_no_mixture_of_scripts_escapes(text: str) -> None:
    assert same(text, "champion") or PROMOTION.resembles(Target("alias", text)) == "champion"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30))
def test_printable_ascii_is_plain_unless_space_is_around_it(text: str) -> None:
    assert is_plain(text) is (text == text.strip())
    assert is_unseen(text) is (text != text.strip())
    assert folded(text) == text.strip().lower()


@pytest.mark.parametrize("text", ["", "caf\u00e9", "a\tb", "a ", "\u200ba"])
def test_what_is_not_plain(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize(
    ("text", "hidden"), [("gr\u00f6\u00dfe", False), ("a\u0301", False), ("a\u200b", True), ("\u672c\u3164", True)]
)
def test_an_accent_is_seen_and_a_filler_is_not(text: str, hidden: bool) -> None:  # noqa: FBT001
    assert is_unseen(text) is hidden
