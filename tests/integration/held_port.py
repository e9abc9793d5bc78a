"""A port for a process that is yet to begin: nobody else can be given it meanwhile.

It is bound here and not listened on, so whoever connects to it is refused, and a server that asks to use the address
again (as servers do) can listen on it.
"""

import socket
import weakref


class HeldPort:
    """A port of 127.0.0.1, or of another address of this machine, until it is closed or nobody has it any more."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, 0))
        self.number = int(self._socket.getsockname()[1])
        weakref.finalize(self, self._socket.close)

    def close(self) -> None:
        self._socket.close()
