"""The way out to Meta: requests to the Graph API, and what its answers mean.

Here live the senders of messages, media, templates and blocks, Meta's limits and its table of error codes.
Never here: HTTP, a database, a clock, a decision when to try again. Reached as attributes of the `Meta` provider.
"""

from providers.meta.outbound.blocks import MetaBlockList
from providers.meta.outbound.media import MetaMedia
from providers.meta.outbound.sending import MetaSender
from providers.meta.outbound.templates import MetaTemplateBook

__all__ = ["MetaBlockList", "MetaMedia", "MetaSender", "MetaTemplateBook"]
