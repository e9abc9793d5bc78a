"""A list that grows while somebody looks at it: never taken for the whole before it is."""

import redis

from settings import load
from worker.accept.jobs import Jobs
from worker.deliver.credentials import Credentials
from worker.observe.redact import Redactor
from worker.store.keys import Keys
from worker.store.partition import Partition


class Growing(Partition):
    """Between the list of pages and the pages themselves another one is added, as often as `pages` says."""

    pages = 1

    def one(self, *command: object) -> object:
        answer = super().one(*command)
        if command[0] == "lrange" and self.pages < 4:
            self.client.hset(self.key("job", f"0-a.p{self.pages}" if self.pages > 1 else "0-a"), "state", "done")
            self.pages += 1
            self.client.hset(self.key("job", f"0-a.p{self.pages}"), mapping={"state": "waiting", "chain": "0-a"})
            self.client.rpush(self.key("chain", "0-a"), *(["0-a"] if self.pages == 2 else []), f"0-a.p{self.pages}")
        return answer


def test_a_list_whose_next_page_begins_meanwhile_is_not_over(store: "redis.Redis[bytes]") -> None:
    partition = Growing(store, Keys())
    store.hset(partition.key("job", "0-a"), mapping={"state": "running", "chain": "0-a"})
    credentials = Credentials(load({"PACELINE_ENVIRONMENT": "test"}))
    chain = Jobs(partition, Redactor(credentials.secrets)).chain("0-a")
    assert [job.state for job in chain.jobs] == ["done", "done", "done", "waiting"]
    assert chain.state == "waiting"
