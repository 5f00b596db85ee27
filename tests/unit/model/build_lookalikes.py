"""Writes `aims_mlops/model/lookalikes.py`: which characters look like an ASCII letter, digit, dot, dash or underscore.

    python tests/unit/model/build_lookalikes.py CONFUSABLES.json

The file is `confusables.json` of the package confusable_homoglyphs, which is Unicode's `confusables.txt` as pairs. What
Unicode's names say is added: small capitals, letters with a stroke, hook or mark, and letters in circles and squares
look like the letter that they are named after, though most of them are prototypes of their own in that table.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

TARGET = Path(__file__).resolve().parents[3] / "aims_mlops" / "model" / "lookalikes.py"
WANTED = re.compile(r"[a-z0-9]{1,4}|[._-]")
OTHER = re.compile(r"[!-/:-@\[-`{-~]")
NAMED = re.compile(
    r"LATIN (?:SMALL|CAPITAL) LETTER (?:SMALL CAPITAL |SCRIPT )?([A-Z])(?: WITH .*)?"
    r"|LATIN LETTER SMALL CAPITAL ([A-Z])"
    r"|(?:NEGATIVE )?(?:CIRCLED|SQUARED) LATIN CAPITAL LETTER ([A-Z])"
    r"|REGIONAL INDICATOR SYMBOL LETTER ([A-Z])"
)
HEADER = '''"""Which characters look like an ASCII letter, digit, dot, dash or underscore. Generated; do not edit.

Made by tests/unit/model/build_lookalikes.py from Unicode's `confusables.txt` (through the package
confusable_homoglyphs 3.3.1) and from Unicode's names of characters. A line is a reading and the code points that look
like it, in hexadecimal; characters that compatibility decomposition takes care of are not in it. The
table is data of Unicode, Inc., changed as said there, under the licence below.
"""

# UNICODE LICENSE V3
#
# COPYRIGHT AND PERMISSION NOTICE
#
# Copyright © 1991-2024 Unicode, Inc.
#
# NOTICE TO USER: Carefully read the following legal agreement. BY
# DOWNLOADING, INSTALLING, COPYING OR OTHERWISE USING DATA FILES, AND/OR
# SOFTWARE, YOU UNEQUIVOCALLY ACCEPT, AND AGREE TO BE BOUND BY, ALL OF THE
# TERMS AND CONDITIONS OF THIS AGREEMENT. IF YOU DO NOT AGREE, DO NOT
# DOWNLOAD, INSTALL, COPY, DISTRIBUTE OR USE THE DATA FILES OR SOFTWARE.
#
# Permission is hereby granted, free of charge, to any person obtaining a
# copy of data files and any associated documentation (the "Data Files") or
# software and any associated documentation (the "Software") to deal in the
# Data Files or Software without restriction, including without limitation
# the rights to use, copy, modify, merge, publish, distribute, and/or sell
# copies of the Data Files or Software, and to permit persons to whom the
# Data Files or Software are furnished to do so, provided that either (a)
# this copyright and permission notice appear with all copies of the Data
# Files or Software, or (b) this copyright and permission notice appear in
# associated Documentation.
#
# THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY
# KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
# MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF
# THIRD PARTY RIGHTS.
#
# IN NO EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE
# BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL DAMAGES,
# OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
# WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
# ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THE DATA
# FILES OR SOFTWARE.
#
# Except as contained in this notice, the name of a copyright holder shall
# not be used in advertising or otherwise to promote the sale, use or other
# dealings in these Data Files or Software without prior written
# authorization of the copyright holder.
#
# SPDX-License-Identifier: Unicode-3.0

ALIKE = """\\
'''


def bare(text: str) -> str:
    """Return a text in lower case, without the marks that stand on letters and without marks of direction."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(c for c in letters if unicodedata.category(c) not in ("Mn", "Me", "Cf")).lower()


def by_name(character: str) -> str | None:
    """Return the ASCII letter that Unicode names a character after, where it is one."""
    found = NAMED.fullmatch(unicodedata.name(character, ""))
    return None if found is None else next(filter(None, found.groups())).lower()


def table(pairs: Mapping[str, list[dict[str, str]]]) -> dict[str, str]:
    """Return what each character looks like: by Unicode's table, through another that looks the same, or by name."""
    alike = {
        text: [plain(other["c"]) for other in others]
        for written, others in pairs.items()
        if len(text := plain(written)) == 1
    }
    # MySQL's older collations take the sharp s for one s; folding makes two of it.
    found = {"\u00df": "s", "\u1e9e": "s"}
    for number in range(0x80, sys.maxunicode + 1):
        if (letter := by_name(chr(number))) is not None:
            found[chr(number)] = letter
    for character, others in alike.items():
        readings = [text for text in map(bare, others) if WANTED.fullmatch(text)]
        marks = [text for text in others if OTHER.fullmatch(text) and not WANTED.fullmatch(text)]
        if readings and not marks:  # what looks like a colon is no pair of dots
            # Several readings are several spellings of one shape: the shortest, and a letter before a digit.
            found[character] = min(readings, key=lambda text: (len(text), not text.isalpha(), text))
    for _ in range(2):  # to the prototype, and from it to the others
        for character, others in alike.items():
            if character not in found and (readings := sorted(found[other] for other in others if other in found)):
                found[character] = readings[0]
    return {character: reading for character, reading in found.items() if not bare(character).isascii()}


def plain(text: str) -> str:
    """Return a text without the marks of direction that the package's file has around some characters."""
    return text.replace("\u200e", "")


def rows(found: Mapping[str, str]) -> Iterator[str]:
    """Write the table by what characters look like, as escapes that every editor shows alike."""
    by_reading: dict[str, list[str]] = {}
    for character, reading in sorted(found.items()):
        by_reading.setdefault(reading, []).append(f"{ord(character):x}")
    for reading, numbers in sorted(by_reading.items()):
        line = f"{reading}"
        for number in numbers:
            if len(line) + len(number) > 112:
                yield line
                line = f"{reading}"
            line += f" {number}"
        yield line


def main() -> None:
    """Write the module."""
    pairs = json.loads(Path(sys.argv[1]).read_text())
    TARGET.write_text(HEADER + "\n".join(rows(table(pairs))) + '\n"""\n')


if __name__ == "__main__":
    main()
