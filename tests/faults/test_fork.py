"""A forked process captures as a writer of its own; what waits in the parent is the parent's to send."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests import file_sink

FORKS = """
import os, threading
import jobtail
from tests.file_sink import capture_to_file

capture_to_file(delay_s=0.005)
done = threading.Event()
counts = {}

def speak(name):
    number = 0
    while not done.is_set() and number < 20_000:
        emitter.emit_info(f"{name} {number}")
        number += 1
    counts[name] = number

with jobtail.job("JB_1") as emitter:
    threads = [threading.Thread(target=speak, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for fork in range(25):
        child = os.fork()
        if child == 0:
            emitter.emit_info(f"child {fork}")
            stats = jobtail.stats()
            is_flushed = jobtail.flush(10)
            os._exit(0 if is_flushed and stats.captured == 1 and jobtail.stats().sent == 1 else 1)
        assert os.waitpid(child, 0)[1] == 0, fork
    done.set()
    for thread in threads:
        thread.join()
for name, number in counts.items():
    print(name, number)
"""


def test_forks_amid_captures_of_other_threads_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sent"
    said = file_sink.run(FORKS, path)
    expected = [f"child {fork}" for fork in range(25)]
    for name, count in (line.split() for line in said.splitlines()):
        expected += [f"{name} {number}" for number in range(int(count))]
    assert Counter(file_sink.messages(path)) == Counter(expected)
    sent = file_sink.read(path)
    assert len({event.writer_id for event in sent}) == 26
    for writer_id in {event.writer_id for event in sent}:
        of_writer = [event for event in sent if event.writer_id == writer_id]
        assert [event.n for event in of_writer] == list(range(1, len(of_writer) + 1))
        assert len({event.pid for event in of_writer}) == 1
    assert [event.kind for event in sent if event.kind != "Line"] == ["JobStarted", "JobFinished"]


STUCK = """
import os, threading
import jobtail
from jobtail import client
from tests.file_sink import FileSink

class Stuck(FileSink):
    reached, opened, is_parent = threading.Event(), threading.Event(), True
    def send(self, batch):
        if self.is_parent:
            self.reached.set()
            self.opened.wait()
        super().send(batch)
    def renew(self):
        self.is_parent = False

client.use(client.Client(Stuck(os.environ["TEST_SINK_FILE"])))
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    Stuck.reached.wait()
    child = os.fork()
    if child == 0:
        emitter.emit_info("child")
        os._exit(0 if jobtail.flush(10) else 1)
    assert os.waitpid(child, 0)[1] == 0
    Stuck.opened.set()
"""


def test_a_child_sends_though_its_parent_is_stuck_in_a_send(tmp_path: Path) -> None:
    file_sink.run(STUCK, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == ["child", "parent"]


CHILDREN = {
    "a fork that leaves by sys.exit": """
import os, sys
import jobtail
from tests.file_sink import capture_to_file
capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    child = os.fork()
    if child == 0:
        emitter.emit_info("child")
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
""",
    "multiprocessing, imported before": """
import multiprocessing
import jobtail
from tests.file_sink import capture_to_file
capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    child = multiprocessing.get_context("fork").Process(target=emitter.emit_info, args=("child",))
    child.start()
    child.join()
    assert child.exitcode == 0
""",
    "multiprocessing, imported after": """
import jobtail
from tests.file_sink import capture_to_file
import sys
capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    assert "multiprocessing" not in sys.modules
    import multiprocessing
    child = multiprocessing.get_context("fork").Process(target=emitter.emit_info, args=("child",))
    child.start()
    child.join()
    assert child.exitcode == 0
""",
    "a child of a child": """
import multiprocessing
import jobtail
from tests.file_sink import capture_to_file
capture_to_file()
fork = multiprocessing.get_context("fork")
def between():
    child = fork.Process(target=emitter.emit_info, args=("child",))
    child.start()
    child.join()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    child = fork.Process(target=between)
    child.start()
    child.join()
    assert child.exitcode == 0
""",
    "a pool of processes": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import jobtail
from jobtail import current_job
from tests.file_sink import capture_to_file
capture_to_file()
def work():
    current_job().say("child")
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
        pool.submit(work).result()
""",
    "a child that is terminated": """
import multiprocessing, time
import jobtail
from tests.file_sink import capture_to_file
capture_to_file(delay_s=0.2)
fork = multiprocessing.get_context("fork")
said = fork.Event()
def work():
    emitter.emit_info("child")
    said.set()
    while True:
        time.sleep(0.05)
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    child = fork.Process(target=work)
    child.start()
    said.wait()
    child.terminate()
    child.join()
    assert child.exitcode == -15
""",
}


@pytest.mark.parametrize("program", CHILDREN.values(), ids=CHILDREN)
def test_what_a_child_says_right_before_its_end_is_sent(program: str, tmp_path: Path) -> None:
    path = tmp_path / "sent"
    file_sink.run(program, path)
    assert sorted(file_sink.messages(path)) == ["child", "parent"]
    parent, child = ([event.pid for event in file_sink.read(path) if event.message == m] for m in ("parent", "child"))
    assert parent != child
    ends = [event.pid for event in file_sink.read(path) if event.kind == "JobFinished"]
    assert ends == parent, "the job is its parent's to finish"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_child_that_starts_afresh_sends_what_it_says(method: str, tmp_path: Path) -> None:
    program = f"""
import multiprocessing
from tests.faults.test_fork import work_of_a_fresh_child
if __name__ == "__main__":
    child = multiprocessing.get_context({method!r}).Process(target=work_of_a_fresh_child)
    child.start()
    child.join()
    assert child.exitcode == 0
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == ["child"]


def work_of_a_fresh_child() -> None:
    import jobtail

    file_sink.capture_to_file(delay_s=0.1)
    with jobtail.job("JB_1") as emitter:
        emitter.emit_info("child")


HOOKS = """
import logging, os, threading, time
import jobtail
from tests.file_sink import capture_to_file

def speak():
    logging.info("hook in the child")
BEFORE
logging.getLogger().addHandler(jobtail.CaptureHandler())
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger().setLevel(logging.DEBUG)
capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
    AFTER
    for number in range(5):
        child = os.fork()
        if child == 0:
            emitter.add_task(str(number))
            logging.info("child")
            os._exit(0 if jobtail.flush(10) else 1)
        assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("moment", ["BEFORE", "AFTER"])
def test_what_a_hook_of_the_application_logs_in_the_child_is_sent(moment: str, tmp_path: Path) -> None:
    program = HOOKS.replace(moment, "os.register_at_fork(after_in_child=speak)")
    program = program.replace("BEFORE" if moment == "AFTER" else "AFTER", "pass")
    file_sink.run(program, tmp_path / "sent")
    said = Counter(file_sink.messages(tmp_path / "sent"))
    assert said == {"parent": 1, "hook in the child": 5, "child": 5}


UNHEARD = """
import ctypes, os
import jobtail
from tests.file_sink import capture_to_file

capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("parent")
assert jobtail.flush(10)
child = ctypes.PyDLL(None).fork()  # no hook of Python's is called, as with uWSGI
if child == 0:
    with jobtail.job("JB_2") as emitter:
        emitter.emit_info("child")
    os._exit(0 if jobtail.flush(10) else 1)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_child_that_python_did_not_fork_sends_as_a_writer_of_its_own(tmp_path: Path) -> None:
    file_sink.run(UNHEARD, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == ["parent", "child"]
    assert len({sent.writer_id for sent in file_sink.read(tmp_path / "sent")}) == 2


def test_a_thread_that_notes_a_task_while_the_process_forks_holds_no_child_up(tmp_path: Path) -> None:
    program = """
import os, threading
import jobtail
from jobtail.job import narration
from tests.file_sink import capture_to_file

capture_to_file()
with jobtail.job("JB_1") as emitter:
    held, freed = threading.Event(), threading.Event()
    def hold():
        with narration._tasks:
            held.set()
            freed.wait()
    threading.Thread(target=hold).start()
    held.wait()
    child = os.fork()
    if child == 0:
        emitter.add_task("in the child")
        os._exit(0 if jobtail.flush(10) else 1)
    freed.set()
    assert os.waitpid(child, 0)[1] == 0
"""
    file_sink.run(program, tmp_path / "sent")
    assert [sent.kind for sent in file_sink.read(tmp_path / "sent")].count("TaskChanged") == 1
