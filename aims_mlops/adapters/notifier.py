"""Tells people by apprise: mail, chat, webhooks and a hundred others, each an address of one line (extra `notify`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aims_mlops.errors import MissingExtra, NotifyError, UsageError


class AppriseNotifier:
    """`ports.Notifier` over apprise. Addresses are secrets: they hold tokens, and are never shown or logged."""

    def __init__(self, addresses: Sequence[str]) -> None:
        """Keep the addresses; apprise is loaded when there is something to tell."""
        self._addresses = tuple(addresses)

    def notify(self, title: str, text: str) -> None:
        """Send a plain text to every address; `NotifyError` names by its place in AIMS_NOTIFY what failed."""
        apprise = _apprise()
        failed = []
        for place, address in enumerate(self._addresses, 1):
            teller = apprise.Apprise()
            if not teller.add(address):
                raise UsageError(
                    f"address {place} of AIMS_NOTIFY is none that apprise knows",
                    hint="write addresses such as mailto://…, json://HOST or slack://…, set apart by blanks",
                )
            if not teller.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
                failed.append(place)
        if failed:
            raise NotifyError(
                f"address {', '.join(map(str, failed))} of AIMS_NOTIFY took no message",
                hint="see that the address is right and its service answers",
            )


def _apprise() -> Any:
    try:
        import apprise
    except ImportError as error:
        raise MissingExtra(
            "AIMS_NOTIFY is set, and the library apprise is not installed", hint="pip install 'aims-mlops[notify]'"
        ) from error
    # Its own lines name addresses, tokens and all.
    import logging

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    return apprise
