"""Files that customers sent, at Twilio: behind the account's credentials, then at a store that must not see them.

    GET https://api.twilio.com/2010-04-01/Accounts/AC…/Messages/MM…/Media/ME…  ->  307  ->  https://mms.twiliocdn.com/…

Vendor document: "Media subresource". What is sent is handed over as a link that Twilio fetches. Deliberately no
fetching here, and no deleting at Twilio.
"""

import re
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

from providers.base import Account
from providers.outbound import MediaAccess
from providers.twilio.outbound.access import credentials
from runtime.calls import HttpRequest

_PATH = re.compile(
    r".*/2010-04-01/Accounts/(AC[0-9a-fA-F]{32})/Messages/(?:SM|MM)[0-9a-fA-F]{32}/Media/ME[0-9a-fA-F]{32}"
)


class TwilioMedia(MediaAccess):
    """Fetches files; hands them over as links only."""

    #: The API of every region, and the stores to which it redirects: signed addresses that are good for a short while.
    hosts: ClassVar[frozenset[str]] = frozenset(
        {".twilio.com", ".twiliocdn.com", "s3.amazonaws.com", "s3-external-1.amazonaws.com"}
    )
    #: Whoever runs in another region says so in the account's own base URL.
    trusted_hosts: ClassVar[frozenset[str]] = frozenset({"api.twilio.com"})
    #: From the API to the store. S3 refuses a request that has both a signature and credentials.
    redirects: ClassVar[int] = 1
    #: Twilio keeps files until they are deleted; what could not be had for so long will not come.
    kept: ClassVar[timedelta] = timedelta(days=30)

    def download(self, account: Account, *, url: str, trusted: bool) -> HttpRequest:
        """Ask for the file, with credentials only where the address is one of this account's own files."""
        found = _PATH.fullmatch(urlsplit(url).path)
        own = found is not None and found[1] == account.field("accountSid")
        return HttpRequest(method="GET", url=url, authorization=credentials(account) if trusted and own else None)
