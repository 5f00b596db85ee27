"""Report pages and notebook cards: what they say, and that nothing stored can do harm in them."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from aims_mlops.model.finding import CheckResult, DatasetUse, Finding, Limit, Measure
from aims_mlops.model.outcome import Outcome, Verdict
from aims_mlops.views import svg
from aims_mlops.views.card import check_card, decision_card
from aims_mlops.views.html import check_html
from aims_mlops.views.layout import render
from aims_mlops.views.page import check_page
from aims_mlops.views.terminal import check_table
from tests.unit.views.examples import (
    FAILED,
    HOSTILE,
    MODEL,
    NOON,
    OPTIONAL,
    PASSED,
    POLICY,
    WAIVED,
    accuracy,
    broken,
    by_race,
    by_sex,
    decision,
    drift,
    income,
    quality,
    report,
    result,
)

_VOID = {"meta", "br", "circle", "rect", "line"}
ALL = [by_sex(), by_race(), drift(), quality(), accuracy(), broken()]
IDS = [item.id for item in ALL]


class Page(HTMLParser):
    """Collects elements and texts; fails where elements are not closed in order."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", " ".join(data.split())))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)

    def said(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]

    @property
    def text(self) -> str:
        return " ".join(text for where, text in self.texts if where != "style")


def html(of: CheckResult) -> str:
    return check_html(of, model="income/1", digest=str(MODEL), system="income", policy_digest=str(POLICY))


def hostile() -> CheckResult:
    measure = Measure(
        HOSTILE,
        Outcome.FAILED,
        HOSTILE,
        HOSTILE,
        limit=Limit(not_below=HOSTILE),
        counts={HOSTILE: 20},
        groups={HOSTILE: {HOSTILE: 0.5}},
        too_small={f"{HOSTILE}2": None},
        reason=HOSTILE,
        hint=HOSTILE,
        bins={HOSTILE: {"reference": 0.5, "current": 0.5}},
        suppressed=True,
    )
    scaled = replace(measure, value=0.3, limit=Limit(max=0.2), reason="other", hint="other")
    finding = Finding.of([measure, scaled], rows=20, libraries={HOSTILE: HOSTILE})
    use = DatasetUse(HOSTILE, MODEL, HOSTILE, 20, HOSTILE)
    return CheckResult(HOSTILE, "fairness", required=True, finding=finding, measured_at=NOON, datasets=(use,))


@pytest.mark.parametrize("of", ALL, ids=IDS)
def test_a_page_stands_alone_without_script_style_attribute_or_outside_resource(of: CheckResult) -> None:
    page = Page(html(of))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "base", "form", "image", "use"}
    names = {name for _, attributes in page.elements for name in attributes}
    assert not names & {"style", "src", "href", "xlink:href", "srcset"}
    assert not [name for name in names if name.startswith("on")]
    assert page.count("style") == 1
    assert "url(" not in html(of)
    assert "@import" not in html(of)


@pytest.mark.parametrize("of", ALL, ids=IDS)
def test_a_page_can_be_read_without_eyes(of: CheckResult) -> None:
    page = Page(html(of))
    assert page.count("h1") == 1
    assert page.count("caption") == page.count("table")
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")
    pictures = [attributes for tag, attributes in page.elements if tag == "svg"]
    named = sum(attributes.get("role") == "img" for attributes in pictures)
    assert named == page.count("title") - 1
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for a in pictures)
    assert ("html", {"lang": "en"}) in page.elements


@pytest.mark.parametrize("of", ALL, ids=IDS)
def test_a_page_says_first_what_came_out_and_what_to_do(of: CheckResult) -> None:
    page = Page(html(of))
    first = page.said("span")[0]
    assert first == of.outcome.value
    assert page.said("h1")[0].startswith(of.id)
    assert page.said("dt")[:2] == (["Why", "What to do"] if of.reason else ["What to do", "Model version"])
    assert page.text.index("What to do") < page.text.index("What this rests on")


def test_the_verdict_is_a_sentence() -> None:
    text = Page(html(by_sex())).text
    assert "parity-by-sex failed for income/1" in text
    assert "1 of 2 measures is outside its limit." in text
    assert "The check is required: income/1 cannot be promoted while this stands." in text
    assert "Both measures are within their limits." in Page(html(accuracy())).text
    assert "1 of 4 expectations is not met." in Page(html(quality())).text
    assert "The check is not required: it stops no promotion." in Page(html(by_race())).text


@pytest.mark.parametrize("of", [*ALL, hostile()], ids=[*IDS, "hostile"])
def test_every_coloured_element_has_its_word(of: CheckResult) -> None:
    page = Page(html(of))
    words = {word.value for word in Outcome}
    coloured = sum(
        bool(words & set((attributes.get("class") or "").split()))
        for tag, attributes in page.elements
        if tag in ("section", "tr", "table")
    )
    assert sum(text in words for text in page.said("span")) == coloured


def test_a_fairness_page_has_a_picture_in_words_and_names_every_group() -> None:
    page = Page(html(by_sex()))
    title = "demographic_parity_difference(sex): 0.176 [0.165, 0.188], limit at most 0.12, failed"
    assert title in page.said("title")
    assert {"Female", "Male"} <= set(page.said("bdi"))
    assert {"4890", "9762", "0.253"} <= set(page.said("td"))


def test_small_groups_are_named_and_suppressed_cells_are_called_so() -> None:
    page = Page(html(by_race()))
    assert {"Amer-Indian-Eskimo", "Other"} <= set(page.said("bdi"))
    assert page.said("span").count("left out: too small to judge") == 2
    assert "suppressed" in page.said("td")
    assert "Suppressed: it rests on fewer than 10 rows, or would give such a number away." in page.text


def test_a_suppressed_rate_is_not_drawn_as_zero() -> None:
    measure = replace(
        by_sex().measures[0], groups={"Female": {"selection_rate": None}, "Male": {"selection_rate": 0.2}}
    )
    page = check_page(result("a", "fairness", measure), model="m/1", digest="d", system="s", policy_digest="p")
    cells = {row.name: row.cells[0] for row in page.groups[0].rows}
    assert (cells["Female"].text, cells["Female"].share) == ("suppressed", None)
    assert cells["Male"].share == 1.0


def test_drift_is_sorted_by_value_with_the_share_first() -> None:
    page = check_page(drift(), model="income/1", digest="d", system="s", policy_digest="p")
    assert [item.column or item.metric for item in page.measures] == [
        "share_of_drifted_columns",
        "hours-per-week",
        "education-num",
        "workclass",
        "age",
        "occupation",
        "sex",
        "race",
    ]
    assert page.distributions[0].column == "hours-per-week"
    assert page.distributions[0].bins[2].label == "30 to 40"
    assert page.distributions[0].bins[2].current.text == "41.7 %"


def test_columns_of_one_metric_share_an_axis() -> None:
    page = check_page(drift(), model="income/1", digest="d", system="s", policy_digest="p")
    axes = {(item.scale.start, item.scale.end) for item in page.measures if item.column and item.scale}
    assert len(axes) == 1


def test_many_columns_are_listed_but_not_all_are_drawn() -> None:
    one = drift().measures[0]
    many = result("d", "drift", *(replace(one, column=f"c{place}") for place in range(30)))
    page = check_page(many, model="m/1", digest="d", system="s", policy_digest="p")
    assert (len(page.measures), len(page.distributions)) == (30, 24)
    assert page.undrawn == "6 more columns moved less than these and are not drawn."


def test_the_rows_of_two_datasets_are_not_shown_as_groups() -> None:
    measure = replace(drift().measures[0], counts={"reference": 24421, "current": 14652})
    page = check_page(result("d", "drift", measure), model="m/1", digest="d", system="s", policy_digest="p")
    assert page.groups == ()


def test_a_remark_on_a_passed_check_is_shown_as_a_note() -> None:
    remark = "roc_auc: the log holds no promotion to champion yet, so that nothing is compared"
    noted = replace(accuracy(), finding=replace(accuracy().finding, reason=remark))
    assert Page(html(noted)).said("dt")[0] == "Note"
    assert remark in Page(html(noted)).said("dd")
    assert remark in Page(check_card(report(noted))).text
    assert f"    note: {remark}" in render(check_table(report(noted)), width=200)


def test_expectations_keep_the_order_of_the_suite() -> None:
    page = check_page(quality(), model="m/1", digest="d", system="s", policy_digest="p")
    assert [item.title for item in page.measures] == [
        "Table row count to be between",
        "Column values to not be null",
        "Column values to be between",
        "Column mean to be between",
    ]


def test_an_expectation_that_has_no_value_shows_none() -> None:
    exists = Measure("expect_column_to_exist", Outcome.PASSED, None, "age")
    away = Measure("expect_column_to_exist", Outcome.ERROR, None, "age")
    page = check_page(result("q", "data-quality", exists, away), model="m/1", digest="d", system="s", policy_digest="p")
    assert [item.value for item in page.measures] == ["-", "no value"]


def test_a_page_says_what_it_rests_on() -> None:
    page = Page(html(drift()))
    facts = " ".join(page.said("dd"))
    assert str(MODEL) in facts
    assert str(POLICY) in facts
    assert "2026-11-21 20:31 UTC" in facts
    assert "Dataset reference" in page.said("dt")
    assert "aims evidence verify income/1" in facts


def test_what_a_library_said_never_gets_on_a_page_or_a_card() -> None:
    assert "ImportError" not in html(broken())
    assert "ImportError" not in check_card(report(broken()))


@pytest.mark.parametrize("use", ["fairness", "drift", "data-quality", "performance", "made-elsewhere"])
def test_stored_markup_is_text(use: str) -> None:
    markup = html(replace(hostile(), use=use))
    assert "<script" not in markup
    assert "&lt;script&gt;" in markup
    page = Page(markup)
    assert page.count("script") == 0
    assert page.count("h1") == 1
    assert not {name for _, attributes in page.elements for name in attributes} & {"style", "onload"}


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, None, "text", True], ids=["NaN", "infinity", "none", "a text", "a boolean"]
)
def test_a_value_that_has_no_place_on_an_axis_is_not_drawn(value: float | str | None) -> None:
    measure = Measure("psi", Outcome.ERROR, value, "age", limit=Limit(max=0.1))
    page = check_page(result("d", "fairness", measure), model="m/1", digest="d", system="s", policy_digest="p")
    assert page.measures[0].scale is None
    assert Page(html(result("d", "drift", measure))).count("svg") == 0


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        pytest.param(0.0, Limit(max=0.0), id="zero on a limit of zero"),
        pytest.param(0.5, Limit(min=0.5), id="on its limit"),
        pytest.param(-3.0, Limit(min=-5, max=-1), id="below zero"),
        pytest.param(1e-9, Limit(max=1e6), id="far apart"),
        pytest.param(0.999, Limit(min=0.99), id="near one"),
    ],
)
def test_an_axis_shows_value_and_limit(value: float, limit: Limit) -> None:
    measure = Measure("m", Outcome.PASSED, value, limit=limit)
    page = check_page(result("d", "performance", measure), model="m/1", digest="d", system="s", policy_digest="p")
    scale = page.measures[0].scale
    assert scale is not None
    shown = [value, *(bound for bound in (limit.min, limit.max) if bound is not None)]
    assert scale.start <= min(shown) <= max(shown) <= scale.end
    assert scale.start < scale.end


def test_a_fairness_axis_starts_at_zero() -> None:
    page = check_page(by_sex(), model="m/1", digest="d", system="s", policy_digest="p")
    assert [item.scale.start for item in page.measures if item.scale] == [0.0, 0.0]


def test_a_picture_puts_value_and_limit_where_they_belong() -> None:
    scale = svg.Scale(0.5, 0.0, 2.0, "passed", "in words", (0.25, 1.0), maximum=svg.Mark(1.5, "at most 1.5"))
    drawn = svg.whisker(scale)
    assert 'cx="25.00%"' in drawn
    assert '<line x1="12.50%" y1="26" x2="50.00%" y2="26" class="reach"/>' in drawn
    assert '<rect x="0.00%" y="18" width="75.00%" height="16" class="allowed"/>' in drawn
    assert "<title>in words</title>" in drawn
    assert 'text-anchor="end" class="tick">at most 1.5</text>' in drawn


@pytest.mark.parametrize("share", [-1.0, 0.0, 0.5, 1.0, 7.0])
def test_a_bar_never_leaves_its_track(share: float) -> None:
    widths = [float(width) for width in re.findall(r'width="([\d.]+)%"', svg.bar(share) + svg.pair(share, share))]
    assert max(widths) <= 100


def test_a_card_says_what_failed_and_what_to_do() -> None:
    card = Page(check_card(income()))
    assert card.said("div")[0].startswith("income/1: ")
    assert "parity-by-sex failed" in card.said("div")[0]
    assert card.said("b")[:2] == ["evaluation-quality", "next:"]
    assert "demographic_parity_difference(sex) 0.176 [0.165, 0.188], limit at most 0.12" in card.text


def test_a_card_of_an_unrecorded_run_says_so() -> None:
    card = Page(check_card(report(accuracy(), unrecorded="no key", unrecorded_hint="aims keys new pipeline")))
    assert "NOT RECORDED no key; next: aims keys new pipeline" in card.text


def test_a_decision_card_names_verdict_owner_and_waiver() -> None:
    card = Page(decision_card(decision(PASSED, WAIVED, OPTIONAL, verdict=Verdict.ALLOWED_BY_WAIVER)))
    assert card.said("div")[0] == "income/1: allowed by waiver for champion: parity-by-sex is waived"
    assert "waived" in card.said("span")
    assert "peer-review (not required)" in card.said("b")
    assert "owner: Income Model Owner <income-owner@example.org>" in card.text


def test_cards_stay_small_whatever_is_in_them() -> None:
    long = replace(by_sex(), finding=replace(by_sex().finding, reason="<" * 5000, hint="&" * 5000))
    many = check_card(report(*(replace(long, id=f"c{place}") for place in range(200)), notices=("<" * 5000,) * 50))
    requirement = replace(FAILED, reason="<" * 5000, hint="'" * 5000)
    decided = decision_card(decision(*[requirement] * 200))
    assert len(many.encode()) < 30_000
    assert len(decided.encode()) < 30_000
    assert re.search(r"and 1[89]\d more", many)
    assert "and 180 more" in check_card(report(*(replace(accuracy(), id=f"c{place}") for place in range(200))))


@pytest.mark.parametrize(
    "markup", [check_card(report(hostile())), decision_card(decision(replace(FAILED, id=HOSTILE)))]
)
def test_a_card_carries_no_script(markup: str) -> None:
    card = Page(markup)
    assert {tag for tag, _ in card.elements} <= {"div", "span", "b"}
    assert "<script" not in markup
    assert "\x1b" not in markup
