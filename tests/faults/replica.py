"""A second server that copies a store over a link which a test can cut: what is written after that, it never hears of.

`take_over` does what a failover does first; the address that programs use (`Proxy.lead_to`) follows later, and until
then a primary that was demoted answers READONLY.
"""

from pathlib import Path
from typing import Self

import redis

from tests.faults.proxy import Proxy
from tests.faults.stage import until
from worker.store.connection import connect
from worker.store.embedded import AppendFsync, EmbeddedServer


class Replica:
    """Copies `primary` until `lag` is called."""

    def __init__(self, primary: EmbeddedServer, folder: Path, fsync: AppendFsync = "always") -> None:
        self._primary = primary
        with connect(primary.url) as asked:
            asked.config_set("repl-diskless-sync-delay", "0")
        self._link = Proxy(primary.url)
        port = self._link.url.rpartition(":")[2].partition("/")[0]
        self.server = EmbeddedServer.start(folder, fsync)
        self.client: redis.Redis = connect(self.server.url)
        self.client.execute_command("REPLICAOF", "127.0.0.1", port)  # once restarted it follows nobody

    def __enter__(self) -> Self:
        until(self._has_copied, 30, lambda: f"the replica does not follow: {self.client.info('replication')}")
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._link.stop()
        self.server.stop()

    def lag(self) -> None:
        """From now on it hears of nothing; everything until now it has."""
        with connect(self._primary.url) as asked:
            until(lambda: asked.wait(1, 100) == 1, 10)
        self._link.leave()

    def take_over(self, demotes: bool) -> None:
        """It becomes the primary; where the one before still runs, it copies this one from now on."""
        self.client.execute_command("REPLICAOF", "NO", "ONE")
        if not demotes:
            return
        with connect(self._primary.url) as asked:
            asked.execute_command("REPLICAOF", "127.0.0.1", str(self.server.port))

    def restart(self) -> None:
        """As after a deploy of the store: it has what it had, and says no more that it was a replica."""
        self.server.stop()
        self.server.restart()

    def _has_copied(self) -> bool:
        return self.client.info("replication").get("master_link_status") == "up"
