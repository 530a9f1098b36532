"""Files as the API takes and describes them."""

from typing import Final

from flask_smorest.fields import Upload
from marshmallow import Schema, fields

from api.schemas.wire import schema_of
from models.media_file import MediaFile

MediaFileSchema: Final[type[Schema]] = schema_of(MediaFile)


class UploadedFiles(Schema):
    """The one file of an upload."""

    file = Upload(required=True, metadata={"description": "The file; its kind is judged by its content."})


class PublicQuery(Schema):
    """What makes a public link good."""

    expires = fields.String(load_default="")
    signature = fields.String(load_default="")
