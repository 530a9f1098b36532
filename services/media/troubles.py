"""What may keep a file from being fetched: a word that stays, a sentence for people, and how often to try again.

Deliberately one table; nobody else decides what is worth another try.
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

#: Word -> what is told to people, and tries in all that it is worth (None: as long as the vendor keeps the file).
TROUBLES: Final[dict[str, tuple[str, int | None]]] = {
    "unknown_account": ("the account it came by is not active", None),
    "not_supported": ("files of this vendor cannot be fetched", 1),
    "no_address": ("the vendor gave no address for the file", 1),
    "gone": ("the vendor no longer has the file", 1),
    "look_up_failed": ("the vendor did not tell where the file is", None),
    "account_refused": ("the vendor refuses the account: its token or permissions", None),
    "refused": ("the vendor refused to hand the file over", 8),
    "not_found": ("the vendor has no file at the address it gave", 8),
    "vendor_failed": ("the vendor could not hand the file over", None),
    "unexpected_status": ("the vendor answered with something else than a file", 3),
    "wrong_sha256": ("what came is not the file the vendor described: its checksum differs", 3),
    "wrong_size": ("what came is not the file the vendor described: its size differs", 3),
    "empty": ("what came was empty", 3),
    "too_large": ("the file is larger than any that is kept", 1),
    "bad_address": ("the address of the file is none", 1),
    "not_https": ("the address of the file is not HTTPS", 1),
    "userinfo": ("the address of the file holds a user name", 1),
    "host_not_allowed": ("the address of the file is not the vendor's", 1),
    "private_address": ("the address of the file leads into a private network", 1),
    "too_many_redirects": ("the address of the file leads on and on", 1),
    "not_kept": ("it could not be stored here", None),
    "timeout": ("the file did not come in time", 6),
    "tls": ("the vendor's certificate is not valid", None),
}
#: Of every other word: a connection that could not be made or broke.
BROKEN: Final = ("the connection to the vendor failed", None)
#: Seconds before the second, third, … try; then the last again and again. Chance only adds.
DELAYS: Final = (3, 10, 30, 60, 300, 900, 3600)
ADDED: Final = 0.2
#: Longest time that a vendor may ask us to wait.
LONGEST_WAIT: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a try failed."""

    word: str
    retry_after: timedelta | None = None

    @property
    def told(self) -> str:
        """The word, and what it means."""
        return f"{self.word}: {TROUBLES.get(self.word, BROKEN)[0]}"

    def is_worth_another_try(self, tries: int) -> bool:
        """Say whether it may pass, after so many tries."""
        most = TROUBLES.get(self.word, BROKEN)[1]
        return most is None or tries < most

    def delay(self, tries: int) -> timedelta:
        """How long to wait before the next try."""
        usual = DELAYS[min(tries, len(DELAYS)) - 1] * random.uniform(1, 1 + ADDED)  # noqa: S311  not a secret
        return max(timedelta(seconds=usual), min(self.retry_after or timedelta(0), LONGEST_WAIT))
