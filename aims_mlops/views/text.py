"""Plain text for logs and messages: what a data scientist reads after registering a model."""

from __future__ import annotations

from aims_mlops.model.report import CheckReport
from aims_mlops.views.words import check_summary, last_line, measure_name, measured, worst_first


def registered_message(report: CheckReport) -> str:
    """Say what the registration checks found: one line, then each result that is not good with its next step.

    A run that was not recorded says so first. Plain ASCII apart from names and reasons that are not.
    """
    lines = []
    if report.unrecorded:
        lines.append(f"NOT RECORDED: {report.unrecorded}")
        lines += [f"  next: {report.unrecorded_hint}"] if report.unrecorded_hint else []
    lines.append(check_summary(report))
    for result in worst_first(report.failed):
        optional = "" if result.required else " (not required)"
        lines.append(
            f"  {result.id}: {result.outcome.value}{optional}" + (f": {result.reason}" if result.reason else "")
        )
        bad = [measure for measure in result.measures if not measure.outcome.good and measure.value is not None]
        lines += [f"    {measure_name(measure)} {measured(measure)}" for measure in bad if not result.reason]
        lines += [f"    next: {result.hint}"] if result.hint else []
        lines += [f"    detail: {last_line(result.detail)}"] if result.detail else []
    lines += [f"  note: {notice}" for notice in report.notices]
    return "\n".join(lines)
