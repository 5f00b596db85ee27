"""Sends a checkpoint away: by mail, or to an address that takes a POST. What left the house cannot be rewritten."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from http import HTTPStatus

from aims_mlops.adapters.plain_http import PATIENCE, Outside
from aims_mlops.errors import CannotDecide
from aims_mlops.model.register import Recipient

_SMTP = 25


def send(recipient: Recipient, note: bytes, *, origin: str, size: int) -> None:
    """Send a checkpoint to one recipient; raise `CannotDecide` where it was not taken."""
    if recipient.url is not None:
        status, _ = Outside.at(recipient.url, who="recipient").post(note, "text/plain; charset=utf-8")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise CannotDecide(f"{recipient.place} answered {status}: the checkpoint was not taken", hint=_LOOK)
        return
    message = EmailMessage()
    message["From"], message["To"] = recipient.sender, recipient.mail
    message["Subject"] = f"Checkpoint of {size} leaves of {origin}"
    message.set_content(
        f"Keep this mail. `aims log verify --against FILE` holds the log to it, FILE being this text.\n\n"
        f"{note.decode()}"
    )
    host, _, port = (recipient.smtp or "").partition(":")
    try:
        with smtplib.SMTP(host, int(port or _SMTP), timeout=PATIENCE) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        what = f"{recipient.place}: the mail server {recipient.smtp} did not take the checkpoint: {error}"
        raise CannotDecide(what, hint=_LOOK) from error


_LOOK = "see log: send: in aims.yaml, and send it again: aims log anchor --send"
