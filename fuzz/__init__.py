"""Every parser of bytes from outside, under attack for a bounded time: `make fuzz SECONDS=60`.

What must hold, for any bytes: the reader gives a value or raises its own errors, never anything else; and a value that
was made of bytes nobody signed never counts. `targets.py` is the table: another parser is one entry there.
"""
