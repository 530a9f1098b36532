"""Files: fetched from vendors, stored, shown to those who may see them, lent to vendors.

Everything that moves a file's bytes. No wire formats (providers know those), no HTTP of our own API.
Called by workers, api and the sending of messages.
"""
