"""The way out to ChatAPI and to 1msg: sending, files and 1msg's templates, as requests described and answers read.

Here live the bodies of requests for both variants and the meaning of answers, which the two share.
Never here: HTTP, a clock, a database. Reached through the attributes of `providers.chatapi.ChatApi`.
"""

from providers.chatapi.outbound.media import ChatApiMedia
from providers.chatapi.outbound.senders import ChatApiSender, OneMsgSender
from providers.chatapi.outbound.templates import OneMsgTemplates

__all__ = ["ChatApiMedia", "ChatApiSender", "OneMsgSender", "OneMsgTemplates"]
