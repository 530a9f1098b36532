"""The way out to Twilio: sending, files and the Content API's templates, as requests described and answers read.

Here live the forms of requests and the meaning of answers; what codes mean is in `providers.twilio.errors`.
Never here: HTTP, a clock, a database. Reached through the attributes of `providers.twilio.Twilio`.
"""

from providers.twilio.outbound.media import TwilioMedia
from providers.twilio.outbound.sender import TwilioSender
from providers.twilio.outbound.templates import TwilioTemplates

__all__ = ["TwilioMedia", "TwilioSender", "TwilioTemplates"]
