"""What a newcomer needs before there is anything to see: a login token, and an account for the simulator.

Both are made with the `hookline` command, as a person would. Deliberately no import of services: if the
command cannot do it, the newcomer could not either.
"""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from runtime.errors import HooklineError
from sandbox.datadir import Keys

#: The demo account's ids, in the shape of the vendor's.
PHONE_NUMBER_ID = "331700900150001"
BUSINESS_ACCOUNT_ID = "209700900150001"
DISPLAY_PHONE_NUMBER = "14155550100"
#: Seconds one command may take.
PATIENCE = 60


class DemoError(HooklineError):
    """A command that prepares the demo failed."""


def login_token(environment: Mapping[str, str]) -> str:
    """Create an administrator's token and return it."""
    words = ["tokens", "create", "--name", "hookline up", "--role", "admin"]
    return str(_hookline(words, environment)["token"])


def account(keys: Keys, *, api_url: str, environment: Mapping[str, str]) -> str:
    """Return the id of the demo account, creating it at the first start."""
    for config in _hookline(["configs", "list"], environment):
        if config.get("phoneNumberId") == PHONE_NUMBER_ID:
            return str(config["id"])
    options = {
        "--provider": "meta-whatsapp",
        "--name": "Demo",
        "--phone-number-id": PHONE_NUMBER_ID,
        "--business-account-id": BUSINESS_ACCOUNT_ID,
        "--access-token": keys.demo_access_token,
        "--webhook-secret": keys.demo_app_secret,
        "--verify-token": keys.demo_verify_token,
        "--api-base-url": api_url,
    }
    words = [word for option in options.items() for word in option]
    return str(_hookline(["configs", "add", *words], environment)["id"])


def _hookline(words: list[str], environment: Mapping[str, str]) -> Any:
    """Run one command and return its JSON."""
    command = ["hookline", *words, "--json"]
    try:
        done = subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        return json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        # Only the command's own words: its options hold secrets.
        raise DemoError(f"`hookline {words[0]} {words[1]}` failed: {error.stderr.strip()}") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise DemoError(f"`hookline {words[0]} {words[1]}` failed: {type(error).__name__}") from None
