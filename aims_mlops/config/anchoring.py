"""The grammar of what anchors the log outside: time stamp authorities, and who is sent checkpoints."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from aims_mlops.config.fields import Section, Text
from aims_mlops.model.register import Recipient


class Timestamps(Section):
    """An RFC 3161 authority that time-stamps checkpoints."""

    url: Text
    """Its address."""
    roots: Text
    """A PEM file with the root certificates that are trusted for it, as its keeper publishes them."""

    def to_value(self) -> tuple[str, str]:
        """Return the address and the file."""
        return self.url, self.roots


class Send(Section):
    """Somebody who is sent checkpoints: `url`, or `mail` with `smtp` and `sender`."""

    url: Text | None = None
    """An address that takes the checkpoint as a POST."""
    mail: Text | None = None
    """A mailbox, such as the auditor's."""
    smtp: Text | None = None
    """HOST:PORT of the server that takes mail without a password; encrypted where it offers that."""
    sender: Text | None = None
    """The mailbox that the mail is from."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        mailed = [self.mail, self.smtp, self.sender]
        if (self.url is None) == (None in mailed) or (self.url is not None and any(mailed)):
            raise ValueError("either url, or mail with smtp and sender")
        return self

    def to_value(self) -> Recipient:
        """Return the recipient."""
        return Recipient(self.url, self.mail, self.smtp, self.sender)
