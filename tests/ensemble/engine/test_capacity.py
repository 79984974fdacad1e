"""What a cluster has room for: nothing starves, and what is not there is asked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ensemble.config.members import MemberSettings
from ensemble.engine.capacity import Capacity
from ensemble.engine.resources import missing_resources
from ensemble.engine.retries import Attempt
from ensemble.engine.task_queue import TaskQueue
from ensemble.engine.tasks.fold import FoldTask


def task(name: str, fold: int = 0, **resources: float) -> FoldTask:
    settings = {"name": name, "model": {"use": "a.B"}, "resources": resources}
    return FoldTask(MemberSettings.model_validate(settings), fold, "")


def capacity(*nodes: dict[str, float], grows: bool = True) -> Capacity:
    found = Capacity(grows)
    found.update({f"node-{n}": node for n, node in enumerate(nodes)})
    return found


def begun(queue: TaskQueue, cluster: Capacity) -> list[str]:
    """What is handed to Ray."""
    titles = []
    while (in_use := queue.take(cluster.free(), cluster.placement)) is not None:
        cluster.promise(Attempt(in_use))
        titles.append(in_use.title)
    return titles


def test_what_is_too_large_for_every_machine_is_asked_for_and_keeps_nobody() -> None:
    queue = TaskQueue(lambda t: {"wide": 9.0, "small": 1.0}[t.group])
    queue.add([*(task("wide", n, num_cpus=8) for n in range(6)), *(task("small", n) for n in range(9))])
    found = begun(queue, capacity({"CPU": 4.0}))
    assert found.count("small/fold-0") == 1
    assert sum(title.startswith("small") for title in found) == 6, "half of the cluster ahead"
    assert sum(title.startswith("wide") for title in found) == 4


def test_where_no_machine_can_join_it_waits_aside() -> None:
    queue = TaskQueue(lambda _: 1.0)
    queue.add([task("wide", num_cpus=8), task("small")])
    assert begun(queue, capacity({"CPU": 4.0}, grows=False)) == ["small/fold-0"]


def test_a_gpu_that_was_given_back_is_asked_for_again() -> None:
    cluster = capacity({"CPU": 4.0}, {"CPU": 4.0, "GPU": 1.0})
    assert cluster.placement({"CPU": 1.0, "GPU": 0.5}) == "here"
    cluster.update({"node-0": {"CPU": 4.0}})
    assert cluster.placement({"CPU": 1.0, "GPU": 0.5}) == "pending"
    queue = TaskQueue(lambda _: 1.0)
    queue.add(task("graphics", fold, num_gpus=0.5) for fold in range(9))
    assert len(begun(queue, cluster)) == 4
    cluster.update({"node-0": {"CPU": 4.0}, "node-2": {"CPU": 4.0, "GPU": 1.0}})
    assert cluster.free()["GPU"] == -0.5, "those that were pending have a home now"


def test_after_a_death_the_wants_are_those_of_a_machine_that_is_left() -> None:
    cluster = capacity({"CPU": 16.0}, {"CPU": 4.0})
    tried = Attempt(task("greedy", num_cpus=2))
    tried.report_start("node-0")
    again = tried.again(node_lives=True, out_of_memory=True)
    assert again is not None
    assert cluster.promise(again) == ["node-0"]
    assert again.occupies == {"CPU": 4.0}, "alone on the other one"
    wide = Attempt(task("wide", num_cpus=8), avoid=frozenset({"node-0"}))
    assert cluster.promise(wide) == [], "no other could hold it: it goes back"


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0])), max_size=30), st.booleans())
def test_no_more_is_promised_than_there_is(asked: list[tuple[int, float]], grows: bool) -> None:
    nodes = [{"CPU": 4.0, "GPU": 1.0}, {"CPU": 8.0}]
    cluster, queue = capacity(*nodes, grows=grows), TaskQueue(lambda _: 1.0)
    queue.add(task(f"m{n}", num_cpus=cpus, num_gpus=gpus) for n, (cpus, gpus) in enumerate(asked))
    begun(queue, cluster)
    factor = 1.5 if grows else 1.0
    left = cluster.free()
    assert left["CPU"] >= 0
    assert left["GPU"] >= 0
    assert left["CPU"] <= 12 * factor
    if len(queue):  # what waits does not fit, or stands behind one that does not
        first = queue.first()
        assert first is not None
        assert missing_resources({"CPU": float(first.resources.num_cpus), "GPU": first.resources.num_gpus}, left)
