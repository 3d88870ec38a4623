"""A request has exactly one end, and the counts add up."""

from __future__ import annotations

import random
import threading

from litetrack_ros.node.requests import Ending, InitRequest, Outcome, RequestDesk

BOX = (0.0, 0.0, 1.0, 1.0)


def _request(target_id: str = "a") -> InitRequest:
    return InitRequest(target_id, 0, BOX, 0.0, None)


def _outcome(request: InitRequest) -> Outcome | None:
    return request.ending and request.ending.outcome


def _desk(max_targets: int) -> RequestDesk:
    desk = RequestDesk()
    desk.max_targets = max_targets
    return desk


def test_the_desk_keeps_the_latest_request_of_a_target() -> None:
    desk = _desk(2)
    first, second, other, third = _request(), _request(), _request("b"), _request("c")
    for request in (first, other, second, third):
        desk.put(request)
    assert desk.waiting() == [second, other]
    assert _outcome(first) is Outcome.REPLACED
    assert _outcome(third) is Outcome.REFUSED
    assert not desk.take(first)
    assert desk.take(second)
    desk.put(_request("c"))
    assert [r.target_id for r in desk.waiting()] == ["b", "c"]
    assert desk.drop("cleared") == 3  # the one in work too
    assert desk.waiting() == []
    assert vars(desk.counts) == {
        "requested": 5, "accepted": 0, "refused": 1, "replaced": 1, "dropped": 3, "open": 0
    }  # fmt: skip


def test_with_one_target_a_new_id_replaces_the_waiting_one() -> None:
    desk = _desk(1)
    old, new = _request(), _request("b")
    desk.put(old)
    desk.put(new)
    assert desk.waiting() == [new]
    assert old.ending is not None and "target 'b'" in old.ending.reason


def test_a_request_may_be_refused_at_sight() -> None:
    told: list[InitRequest] = []
    desk = RequestDesk(told.append)
    waiting, refused = _request(), _request()
    desk.put(waiting)
    desk.put(refused, "the node is disabled")
    assert (told, desk.waiting()) == ([refused], [waiting])
    assert refused.ending == Ending(Outcome.REFUSED, "the node is disabled")


def test_dropping_one_target_leaves_the_others() -> None:
    desk = _desk(3)
    requests = [_request(name) for name in "abc"]
    for request in requests:
        desk.put(request)
    assert desk.take(requests[1])
    assert desk.drop("removed", "b") == 1
    assert [_outcome(r) for r in requests] == [None, Outcome.DROPPED, None]


def test_every_request_ends_once_whoever_is_first() -> None:
    told: list[InitRequest] = []
    answered: list[InitRequest] = []
    desk = RequestDesk(told.append)
    desk.max_targets = 8
    requests = []
    for index in range(2000):
        requests.append(_request(str(index % 12)))
        requests[-1].on_end = answered.append
    done = threading.Event()

    def work() -> None:
        while not done.is_set() or desk.counts.open:
            for request in desk.waiting():
                if desk.take(request):
                    desk.end(request, Ending(Outcome.ACCEPTED))

    def drop() -> None:
        while not done.is_set():
            desk.drop("dropped", random.choice("0123456789"))

    threads = [threading.Thread(target=work), threading.Thread(target=drop)]
    for thread in threads:
        thread.start()
    for request in requests:
        desk.put(request)
    done.set()
    for thread in threads:
        thread.join()
    assert len(told) == len(answered) == 2000 == len(set(map(id, told)))
    counts = vars(desk.counts).copy()
    assert counts.pop("open") == 0
    assert counts.pop("requested") == 2000 == sum(counts.values())
