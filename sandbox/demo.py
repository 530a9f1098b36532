"""What a newcomer needs before there is anything to see: a login token, and an account for each simulator.

All are made with the `hookline` command, as a person would. Deliberately no import of services: if the command
cannot do it, the newcomer could not either.
"""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from runtime.errors import HooklineError
from sandbox.datadir import Keys
from sandbox.vendors import VENDORS, Vendor

#: Seconds one command may take.
PATIENCE = 60


class DemoError(HooklineError):
    """A command that prepares the demo failed."""


def login_token(environment: Mapping[str, str]) -> str:
    """Create an administrator's token and return it."""
    words = ["tokens", "create", "--name", "hookline up", "--role", "admin"]
    return str(_hookline(words, environment)["token"])


def accounts(keys: Keys, *, api_urls: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the ids of the demo's accounts by vendor, creating those that are not there yet."""
    there = _hookline(["configs", "list"], environment)
    found = {vendor.slug: _known(vendor, there) for vendor in VENDORS}
    return {
        vendor.slug: found[vendor.slug] or _add(vendor, keys, api_urls[vendor.slug], environment) for vendor in VENDORS
    }


def _known(vendor: Vendor, there: list[dict[str, Any]]) -> str | None:
    field, value = vendor.mark
    own = (str(one["id"]) for one in there if one.get("provider") == vendor.provider and one.get(field) == value)
    return next(own, None)


def _add(vendor: Vendor, keys: Keys, api_url: str, environment: Mapping[str, str]) -> str:
    """Add an account; its secrets go by the environment, where no list of processes shows them."""
    flags = {"--provider": vendor.provider, "--name": "Demo", "--api-base-url": api_url, **vendor.flags}
    words = [word for option in flags.items() for word in option]
    secrets = {f"HOOKLINE_{_variable(secret.flag)}": secret.of(keys) for secret in vendor.secrets}
    return str(_hookline(["configs", "add", *words], {**environment, **secrets})["id"])


def _variable(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_").upper()


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
