"""The collections: their names, what lives in each, and how durably they are written.

Deliberately no verbs: the other files of this room hold those, one file per noun or activity.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import pymongo
from bson.codec_options import CodecOptions
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from models.address import Address
from models.agent import Agent
from models.agent_performance import AgentPerformance
from models.api_token import ApiToken
from models.audit_entry import AuditEntry
from models.blocked_number import BlockedNumber
from models.chat import Chat
from models.chat_assignment import ChatAssignment
from models.customer import Customer
from models.customer_merge import CustomerMerge
from models.follow_up import FollowUp
from models.idempotency_key import IdempotencyKey
from models.label import Label
from models.media_file import MediaFile
from models.message import Message
from models.message_move import MessageMove
from models.outbox import Outbox
from models.pending_update import PendingUpdate
from models.receipt import Receipt
from models.send_pause import SendPause
from models.team_note import TeamNote
from models.template import Template
from models.template_usage import TemplateUsage
from models.webhook_event import WebhookEvent
from models.whatsapp_config import WhatsAppConfig

Documents = Collection[dict[str, Any]]

#: What an acknowledged write means here: a majority has it in its journal.
DURABLE: Final = WriteConcern(w="majority", j=True)
#: What a read sees here: nothing that an election could take back.
COMMITTED: Final = ReadConcern("majority")
#: What a read may see besides, where all that is done upon it waits for a majority, which then has what was read too.
LATEST: Final = ReadConcern("local")
#: Documents that come in one answer where a whole batch reads; by itself MongoDB sends the first hundred alone.
AT_ONCE: Final = 1_000
_TIMES_IN_UTC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(tz_aware=True, tzinfo=UTC)
#: Times without a zone: all are UTC, and whoever decodes them says so faster than the driver.
_BARE_TIMES: Final[CodecOptions[dict[str, Any]]] = CodecOptions(tz_aware=False)

#: How long (s) MongoDB may take to say how it is; one that hangs is as good as away.
_HEALTH_S: Final = 1.0

#: Entity -> collection; the seed's names for the seed's models.
COLLECTIONS: Final[Mapping[type, str]] = {
    Chat: "chats",
    Message: "messages",
    Agent: "agents",
    Label: "labels",
    Template: "templates",
    FollowUp: "followups",
    TeamNote: "teamnotes",
    BlockedNumber: "blockednumbers",
    Customer: "customers",
    WebhookEvent: "webhookevents",
    ChatAssignment: "chatassignments",
    AgentPerformance: "agentperformance",
    WhatsAppConfig: "whatsappconfigs",
    Address: "addresses",
    ApiToken: "apitokens",
    AuditEntry: "auditentries",
    PendingUpdate: "pendingupdates",
    MessageMove: "messagemoves",
    CustomerMerge: "customermerges",
    Outbox: "outboxes",
    SendPause: "sendpauses",
    Receipt: "receipts",
    IdempotencyKey: "idempotencykeys",
    MediaFile: "mediafiles",
    TemplateUsage: "templateusages",
}


class Store:
    """A database as Hookline uses it: one attribute per collection."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self.database = database.with_options(
            codec_options=_TIMES_IN_UTC, write_concern=DURABLE, read_concern=COMMITTED
        )
        self.chats: Documents = self.database["chats"]
        self.messages: Documents = self.database["messages"]
        self.agents: Documents = self.database["agents"]
        self.labels: Documents = self.database["labels"]
        self.templates: Documents = self.database["templates"]
        self.followups: Documents = self.database["followups"]
        self.teamnotes: Documents = self.database["teamnotes"]
        self.blockednumbers: Documents = self.database["blockednumbers"]
        self.customers: Documents = self.database["customers"]
        self.webhookevents: Documents = self.database["webhookevents"]
        self.chatassignments: Documents = self.database["chatassignments"]
        self.agentperformance: Documents = self.database["agentperformance"]
        self.whatsappconfigs: Documents = self.database["whatsappconfigs"]
        self.addresses: Documents = self.database["addresses"]
        self.apitokens: Documents = self.database["apitokens"]
        self.auditentries: Documents = self.database["auditentries"]
        self.pendingupdates: Documents = self.database["pendingupdates"]
        self.messagemoves: Documents = self.database["messagemoves"]
        self.customermerges: Documents = self.database["customermerges"]
        self.outboxes: Documents = self.database["outboxes"]
        self.sendpauses: Documents = self.database["sendpauses"]
        self.receipts: Documents = self.database["receipts"]
        self.idempotencykeys: Documents = self.database["idempotencykeys"]
        self.mediafiles: Documents = self.database["mediafiles"]
        self.templateusages: Documents = self.database["templateusages"]

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        """The client, for sessions and transactions."""
        return self.database.client

    def problem(self) -> str | None:
        """Say why documents cannot be stored durably now, None where they can."""
        try:
            with pymongo.timeout(_HEALTH_S):
                hello = self.client.admin.command("hello")
        except PyMongoError as error:
            return f"MongoDB does not answer ({type(error).__name__})"
        if "setName" not in hello:
            return "MongoDB is not a replica set; start it with --replSet"
        return None if hello.get("isWritablePrimary") else "MongoDB has no primary to write to"

    def of(self, entity: type) -> Documents:
        """Return the collection of an entity's class."""
        return self.database[COLLECTIONS[entity]]


def bare(documents: Documents) -> Documents:
    """The same collection, for reads of which all goes through `from_document`: it gives times their zone."""
    return documents.with_options(codec_options=_BARE_TIMES)
