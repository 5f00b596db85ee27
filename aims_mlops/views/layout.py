"""How text is laid out at a terminal: lines with hanging indents, and tables that never cut anything off."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from aims_mlops.views.words import printable

Styled = tuple[str, str]
"""A text and its style; the empty style is the terminal's own."""

_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "→": "->", "\u2013": "-", "\u2014": "-", "…": "...", "≤": "<=", "≥": ">=", "·": "-"}
)
_NARROWEST = 20
"""A body that has fewer columns than this beside its lead runs on from it instead."""


@dataclass(frozen=True, slots=True)
class Line:
    """A lead that stands once, and a body that wraps beside it. `parts` are texts with their styles."""

    lead: tuple[tuple[str, str], ...] = ()
    body: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that fit themselves to the console that prints them."""

    lines: tuple[Line, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Wrap every body with a hanging indent; the narrower the console, the smaller the indent."""
        for line in self.lines:
            lead, body = (_text(part, options) for part in (line.lead, line.body))
            indent = lead.cell_len
            if not body:
                yield from lead.wrap(console, options.max_width)
            elif options.max_width - indent >= min(body.cell_len, 20):
                for place, piece in enumerate(body.wrap(console, options.max_width - indent)):
                    yield Text.assemble(lead if place == 0 else " " * indent, piece)
            else:
                yield from Text.assemble(lead, body).wrap(console, options.max_width)


def _text(parts: Iterable[tuple[str, str]], options: ConsoleOptions) -> Text:
    told = Text()
    for content, style in parts:
        safe = printable(content)
        if options.ascii_only:
            safe = safe.translate(_ASCII).encode("ascii", "backslashreplace").decode()
        told.append(safe, style)
    return told


def render(
    renderable: RenderableType, *, width: int | None = None, colour: bool | None = None, encoding: str = "utf-8"
) -> str:
    """Return what a console of this width and encoding prints, without blanks at the ends of lines.

    Without `colour` there are no escape sequences; with it there are, unless `NO_COLOR` is set (rich obeys it).
    """
    sink = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
    console = Console(file=sink, width=width, force_terminal=bool(colour), color_system="standard" if colour else None)
    with console.capture() as capture:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


@dataclass(frozen=True, slots=True)
class Grid:
    """A plain table: a head, and rows of texts in aligned columns.

    Where the columns do not fit, each row becomes a block of `name: value` lines, so that nothing is cut off.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str
    style: Callable[[str], str] = lambda _: ""
    """Returns a cell's style by its text."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Print columns where they fit, blocks otherwise, and one sentence where there is no row."""
        if not self.rows:
            yield _text(((self.empty, "dim"),), options)
            return
        rows = [[_text(((cell, self.style(cell)),), options) for cell in row] for row in self.rows]
        head = [Text(name, "dim") for name in self.head]
        widths = [max(cell.cell_len for cell in column) for column in zip(head, *rows, strict=True)]
        if sum(widths) + 2 * (len(widths) - 1) <= options.max_width:
            for row in (head, *rows):
                yield Text("  ").join(_padded(cell, width) for cell, width in zip(row, widths, strict=True))
            return
        yield Lines(tuple(line for row in self.rows for line in self._block(row)))

    def _block(self, row: Sequence[str]) -> Iterator[Line]:
        width = max(map(len, self.head))
        yield Line(body=((f"{self.head[0]} {row[0]}", "bold"),))
        for name, cell in list(zip(self.head, row, strict=True))[1:]:
            yield Line(((f"  {name:{width}}  ", "dim"),), ((cell or "-", self.style(cell)),))


def _padded(cell: Text, width: int) -> Text:
    return Text.assemble(cell, " " * (width - cell.cell_len))
