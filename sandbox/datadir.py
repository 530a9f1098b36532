"""The directory of one `hookline up`: its lock, its keys, and the note by which other commands find it.

Deliberately private: the directory and every file in it are for its owner only. Nothing here knows what the
keys open or what the note's variables mean.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet

from runtime.errors import HooklineError
from runtime.settings import LOCK_FILE, RUN_FILE

#: Where the keys are kept.
KEYS_FILE = "keys.json"


class AlreadyRunningError(HooklineError):
    """Another `hookline up` owns the directory."""


class KeysDamagedError(HooklineError):
    """The keys file cannot be read; going on without it would make stored secrets unreadable for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What must stay the same from one start to the next."""

    encryption_keys: str
    demo_app_secret: str
    demo_verify_token: str
    demo_access_token: str
    # A directory of version 0.1 has none of these yet.
    demo_twilio_auth_token: str = field(default_factory=lambda: secrets.token_hex(16))
    demo_chatapi_token: str = field(default_factory=lambda: secrets.token_hex(10))
    demo_chatapi_webhook_secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    #: Login tokens shown at each start, by the database they are for.
    login_tokens: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return "Keys(…)"


def new_keys() -> Keys:
    """Draw fresh keys in the vendors' usual shapes."""
    return Keys(
        encryption_keys=Fernet.generate_key().decode(),
        demo_app_secret=secrets.token_hex(16),
        demo_verify_token=secrets.token_urlsafe(18),
        demo_access_token=f"EAAdemo{secrets.token_hex(24)}",
    )


class DataDir:
    """One data directory; everything but `lock` needs the lock held."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def room(self, name: str) -> Path:
        """Return a sub-directory, made if needed."""
        room = self.path / name
        room.mkdir(parents=True, exist_ok=True, mode=0o700)
        return room

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Own the directory until the block ends; the kernel gives it back when we die.

        Raises:
            AlreadyRunningError: somebody else owns it.
        """
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            self._claim(descriptor)
            yield
        finally:
            os.close(descriptor)

    def keys(self, draw: Callable[[], Keys] = new_keys) -> Keys:
        """Return the kept keys, drawing them at the first start, and later those that are new since then.

        Raises:
            KeysDamagedError: the file is there but not readable as keys.
        """
        path = self.path / KEYS_FILE
        if not path.exists():
            return self.keep(draw())
        try:
            kept = json.loads(path.read_text())
            keys = Keys(**kept)
        except (OSError, ValueError, TypeError) as error:
            raise KeysDamagedError(
                f"{path} is damaged ({type(error).__name__}): restore it, or start over with another --data"
            ) from None
        return keys if kept.keys() == asdict(keys).keys() else self.keep(keys)

    def keep(self, keys: Keys) -> Keys:
        """Write the keys, and return them."""
        self._write(KEYS_FILE, asdict(keys))
        return keys

    def login_token(self, database: str, create: Callable[[], str]) -> str:
        """Return the kept login token for a database, creating it at the first start."""
        keys = self.keys()
        if database not in keys.login_tokens:
            keys = self.keep(replace(keys, login_tokens={**keys.login_tokens, database: create()}))
        return keys.login_tokens[database]

    @contextmanager
    def announced(self, *, environment: Mapping[str, str], url: str) -> Iterator[None]:
        """Let other commands find us while the block runs: `--data DIR` reads this note."""
        self._write(RUN_FILE, {"pid": os.getpid(), "url": url, "environment": dict(environment)})
        try:
            yield
        finally:
            (self.path / RUN_FILE).unlink(missing_ok=True)

    def _claim(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            raise AlreadyRunningError(
                f"`hookline up` already runs on {self.path}{f' (process {owner})' if owner else ''}: "
                "stop it first, or choose another directory with --data"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        # What a killed owner could not remove would lead other commands to dead engines.
        (self.path / RUN_FILE).unlink(missing_ok=True)

    def _write(self, name: str, content: object) -> None:
        """Write whole or not at all, readable by the owner only from the first byte on."""
        with NamedTemporaryFile("w", dir=self.path, prefix=f".{name}-", delete=False) as draft:
            json.dump(content, draft, indent=2)
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).replace(self.path / name)
