"""Records for the tests of single files."""

from models.tcp.config import TcpConfig
from models.tcp.endpoint import Endpoints


def endpoint(config: TcpConfig | None = None):
    """The record of a closed connection."""
    table = Endpoints(1)
    table.begin(0, config or TcpConfig())
    return table.records[0]
