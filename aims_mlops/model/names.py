"""Names as databases and people see them: which are the same to one of them though their characters differ.

MLflow compares aliases, model names and tag keys by their characters. Some databases do not (MySQL and SQL Server
ignore case and accents by default), and eyes do not either. ADR 0012 says what follows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

LONGEST = 500
"""The longest name that is compared, in characters. MLflow's databases keep 256."""

_UNSEEN = {"Cc", "Cf", "Cn", "Mn", "Me", "Mc"}
"""Categories that carry no letter of their own: control, format, unassigned, and marks on letters."""

# Letters by their category, and yet nothing is drawn for them: fillers of Hangul, and a braille cell without dots.
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
# Unicode's table has these for ASCII itself; `i` joins them because a capital one is an `l` to the eye.
_ALIKE_IN_ASCII = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l"})


def is_plain(text: str) -> bool:
    """Whether a text is printable ASCII without space around it: what it says is what everybody sees."""
    return text.isascii() and text.isprintable() and text == text.strip() and bool(text)


def same(text: str, wanted: str) -> bool:
    """Whether two names are the same but for the case of ASCII letters."""
    return text == wanted or text.translate(_LOWER) == wanted.translate(_LOWER)


def lower(text: str) -> str:
    """Return a text with its ASCII letters in lower case, and nothing else changed."""
    return text.translate(_LOWER)


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return what a text is to a database that ignores case, accents and whatever cannot be seen.

    Compatibility forms (full width, mathematical letters, ligatures) become plain letters; case, marks on letters,
    control, zero-width and unassigned characters, and space around the text are gone. Folding twice changes nothing.
    """
    if text.isascii():
        return "".join(filter(str.isprintable, text)).strip().lower()
    for _ in range(4):  # a folded letter can decompose again; two rounds do for every character that there is
        once = _decomposed(_decomposed(text).casefold())
        once = unicodedata.normalize("NFKC", once).strip()
        if once == text:
            break
        text = once
    return text


@lru_cache(maxsize=4096)
def skeleton(text: str) -> str:
    """Return what a text is to the eye: `folded`, with every character as the ASCII one that it looks like.

    Letters of other scripts, small capitals and the like are read from `lookalikes`; within ASCII `0` is `o`, `1` and
    `i` are `l`, and `rn` is `m`, as Unicode's confusables have it. The result is good for comparing, not for reading.
    """
    # A shape counts before anything is folded away: a Greek capital iota looks like an I, its small form does not.
    for fold in (str, _decomposed, folded):
        text = fold(text)
        text = text if text.isascii() else text.translate(_shapes())
    return folded(text).translate(_ALIKE_IN_ASCII).replace("rn", "m")


def is_unseen(text: str) -> bool:
    """Whether a text holds what nobody sees: space around it, control, zero-width or unassigned characters."""
    if text.isascii():
        return not text.isprintable() or text != text.strip()
    hidden = (character in _BLANK or unicodedata.category(character) in ("Cc", "Cf", "Cn") for character in text)
    return text != text.strip() or any(hidden)


def alike(text: str, wanted: str) -> bool:
    """Whether a text can be taken for another name without being it, by a database or by the eye."""
    return not same(text, wanted) and (folded(text) == folded(wanted) or skeleton(text) == skeleton(wanted))


def alike_glob(text: str, glob: str, *, eye: bool = True) -> bool:
    """Whether a text can be taken for one that a glob matches. Whether the glob matches the text itself is not asked.

    Without `eye` only what a database takes for the same counts.
    """
    if _pattern(glob, skeletons=False).fullmatch(folded(text)) is not None:
        return True
    return eye and _pattern(glob, skeletons=True).fullmatch(skeleton(text)) is not None


def _decomposed(text: str) -> str:
    """Return the text decomposed, without what cannot be seen and without marks on letters."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(c for c in letters if c not in _BLANK and unicodedata.category(c) not in _UNSEEN)


@lru_cache(maxsize=1)
def _shapes() -> dict[int, str]:
    from aims_mlops.model.lookalikes import ALIKE

    found: dict[int, str] = {}
    for line in ALIKE.splitlines():
        reading, *numbers = line.split(" ")
        found.update((int(number, 16), reading) for number in numbers)
    return found


@lru_cache(maxsize=512)
def _pattern(glob: str, *, skeletons: bool) -> re.Pattern[str]:
    """Translate a glob of `fnmatch` so that it matches folded texts or skeletons."""
    form = skeleton if skeletons else folded
    parts = []
    for part in _parts(glob):
        if part == "*":
            parts.append(".*")
        elif part == "?":
            parts.append(".")
        elif part.startswith("[") and part.endswith("]") and len(part) > 2:
            parts.append(_class(part, skeletons=skeletons))
        else:
            parts.append(re.escape(form(part)))
    return re.compile("".join(parts), re.DOTALL)


def _parts(glob: str) -> Iterator[str]:
    """Split a glob into `*`, `?`, `[...]` and the text between them. A bracket that is not closed is text."""
    for found in re.finditer(r"\*|\?|\[!?\]?[^\]]*\]|[^*?\[]+|\[", glob):
        yield found[0]


def _class(part: str, *, skeletons: bool) -> str:
    """Translate `[a-m]` or `[!0-9]`: its members in the form that is compared."""
    form = skeleton if skeletons else folded
    negated, members = part[1] == "!", part[2:-1] if part[1] == "!" else part[1:-1]
    spelled = re.sub(r"(?s)(.)-(.)", lambda found: "".join(map(chr, _between(found[1], found[2]))), members)
    readings = {reading for member in spelled if (reading := form(member))}
    every = "|".join(map(re.escape, sorted(readings))) or "(?!)"
    return f"(?!(?:{every}))." if negated else f"(?:{every})"


def _between(first: str, last: str) -> range:
    """Return a range's code points; a huge one is cut, since a look-alike of half of Unicode means nothing."""
    return range(ord(first), min(ord(last), ord(first) + 512) + 1)
