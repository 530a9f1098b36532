"""Whether a message may be sent to a chat now: account, blocks, address, service window, the vendor's own rules.

What the vendor would refuse is refused here, by field, before anything is stored. Deliberately no storing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from models.chat import Chat
from models.message import Message
from models.values import MEDIA_TYPES, MessageType
from providers.base import Account, Provider
from providers.directory import AccountDirectory
from providers.outbound import Destination, MediaLimit, Sender
from runtime.errors import Conflict, Invalid

#: What may be sent whenever the customer has written.
_ANYTIME: Final = frozenset({MessageType.TEMPLATE})
UsableTemplates = Callable[[str], Sequence[Mapping[str, str]]]


class Gate:
    """Judges what may be sent."""

    def __init__(
        self,
        *,
        directory: AccountDirectory,
        providers: Mapping[str, Provider],
        usable_templates: UsableTemplates,
        margin: timedelta,
    ) -> None:
        self._directory = directory
        self._providers = providers
        self._usable_templates = usable_templates
        self._margin = margin

    def account(self, config_id: str) -> tuple[Account, Provider, Sender]:
        """Find the account that a chat belongs to, and how its vendor is spoken to.

        Raises:
            Conflict: it is not active, or we cannot send by it.
        """
        account = self._directory.by_id(config_id)
        if account is None and self._directory.refresh(older_than=0):
            account = self._directory.by_id(config_id)
        if account is None:
            raise Conflict("The chat's account is not active.", code="account_inactive")
        provider = self._providers[account.provider]
        if provider.sender is None:
            raise Conflict(f"Nothing can be sent by {provider.name}.", code="cannot_send")
        return account, provider, provider.sender.for_account(account)

    def check_chat(self, chat: Chat, *, blocked: bool, to: Destination | None) -> Destination:
        """Make sure that somebody is there who may be written to, and return where.

        Raises:
            Conflict: blocked, or no address leads to the chat any more.
        """
        if blocked or chat.blocked:
            raise Conflict("The customer is blocked.", code="blocked")
        if to is None:
            raise Conflict("No address leads to this chat any more.", code="no_address")
        return to

    def check_window(self, chat: Chat, window: timedelta | None, types: Iterable[MessageType], now: datetime) -> None:
        """Make sure that the account's service window is open, or that it does not matter.

        Raises:
            Conflict: it is closed; `details` names the templates that may be sent.
        """
        if window is None or _ANYTIME.issuperset(types):
            return
        until = chat.window_expires_at
        if until is not None and now < until - self._margin:
            return
        raise Conflict(
            "The service window is closed. Only a template may be sent until the customer writes again.",
            code="window_closed",
            details={
                "templates": self._usable_templates(chat.config_id),
                **({"windowExpiresAt": until} if until else {}),
            },
        )

    def check_message(self, message: Message, to: Destination, sender: Sender) -> None:
        """Make sure that the vendor has nothing against a message.

        Raises:
            Invalid: it has, by field.
        """
        problems = sender.problems(message, to)
        if not problems:
            problems = _file_problems(message, sender.media_limits)
        if problems:
            raise Invalid("The message cannot be sent like this.", fields=problems)


def _file_problems(message: Message, limits: Mapping[MessageType, MediaLimit]) -> dict[str, list[str]]:
    """Hold a file of ours against what the vendor takes; of one elsewhere nothing is known."""
    media, limit = message.media, limits.get(message.type)
    if media is None or limit is None or message.type not in MEDIA_TYPES:
        return {}
    found: dict[str, list[str]] = {}
    kind = (media.mime_type or "").partition(";")[0].strip().lower()
    if kind and limit.mime_types and kind not in limit.mime_types:
        found["media.mimeType"] = [f"{kind} is not one of {', '.join(sorted(limit.mime_types))}."]
    if media.file_size is not None and media.file_size > limit.max_bytes:
        found["media.fileSize"] = [f"{media.file_size} bytes are more than the {limit.max_bytes} allowed."]
    return found
