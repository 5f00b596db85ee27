"""Report pages: view models through Jinja2 templates, everything escaped, nothing loaded from anywhere."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from aims_mlops.model.finding import CheckResult
from aims_mlops.views import svg
from aims_mlops.views.page import check_page


@cache
def environment() -> Environment:
    """Return the templates' environment: autoescape on for every file, an unknown name is an error."""
    loader = PackageLoader("aims_mlops.views", "templates")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update({"whisker": svg.whisker, "strip": svg.strip, "bar": svg.bar})
    made.globals["pair"] = svg.pair
    return made


def check_html(result: CheckResult, *, model: str, digest: str, system: str, policy_digest: str) -> str:
    """Return one check's report: a whole page without script, link or outside resource, for screen and paper.

    `model` is the version's label (`income/3`). `detail` of the result is not shown: it may quote a library.
    """
    page = check_page(result, model=model, digest=digest, system=system, policy_digest=policy_digest)
    return environment().get_template("check.html.j2").render(page=page)
