"""Workers have numbers, and whatever ends the theatre ends them too."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial

import pytest

from zoopraxis import workers
from zoopraxis.errors import WorkerError
from zoopraxis.workers import Lost, run_isolated, run_jobs, worker_number

SCRIPT = """
import multiprocessing, sys
from zoopraxis.theatre import Settings, make_theatre

def tell(done, total):
    if done == 1:
        print("started", len(multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    make_theatre(sys.argv[1], clips_per_class=50, settings=Settings(size=(32, 32)), workers=2,
                 progress=tell)
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(ending, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "theatre")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert parent.stdout.readline() == "started 2\n"
        parent.send_signal(ending)
        # The workers share its stdout: it is at its end when the last of them is.
        rest, _ = parent.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)  # orphans, if there are any
        parent.stdout.close()
        parent.wait()
    assert rest == ""
    assert parent.returncode == -ending


def test_a_worker_knows_its_number():
    in_workers = dict(run_jobs([worker_number] * 4, workers=2))
    in_this_process = dict(run_jobs([worker_number] * 4, workers=1))

    assert set(in_workers) == {0, 1, 2, 3}
    assert set(in_workers.values()) <= {0, 1}
    assert set(in_this_process.values()) == {None}


def test_a_job_that_crashes_or_hangs_stops_no_other(monkeypatch):
    monkeypatch.setattr(workers, "STARTING", 5)
    jobs = [
        partial(abs, -1),
        partial(os._exit, 3),
        partial(abs, -2),
        os.abort,
        partial(time.sleep, 10_000),
        partial(abs, -3),
    ]

    found = dict(run_isolated(jobs, workers=2, seconds=1))

    assert [found[k] for k in (0, 2, 5)] == [1, 2, 3]
    assert found[1] == Lost("ended its process with the exit code 3")
    assert found[3] == Lost(f"ended its process with the signal {int(signal.SIGABRT)}")
    assert found[4] == Lost("was not done within 1 s")


@pytest.mark.parametrize(
    ("job", "error"),
    [(partial(divmod, 1, 0), ZeroDivisionError), (threading.Lock, TypeError)],
    ids=["raises", "cannot be sent"],
)
def test_what_a_job_raises_is_raised(job, error):
    with pytest.raises(error):
        list(run_isolated([job], workers=1, seconds=60))
    with pytest.raises(error):
        list(run_jobs([job, partial(time.sleep, 0.1)], workers=2))


@pytest.mark.parametrize("after", [0, 0.02, 1])
def test_a_process_may_be_killed_at_any_time(after):
    def kill():
        while not (processes := multiprocessing.active_children()):
            time.sleep(0.001)
        time.sleep(after)
        processes[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()

    with pytest.raises(WorkerError, match=r"a job ended|a process was killed"):
        list(run_jobs([partial(time.sleep, 2)] * 4, workers=2))

    killer.join()
    assert not multiprocessing.active_children()


def _write(folder, number):
    try:
        (folder / str(number)).touch()
        time.sleep(10_000)
    finally:
        (folder / str(number)).unlink()


def test_a_job_that_is_stopped_clears_up(tmp_path):
    running = run_jobs([partial(abs, -1), partial(_write, tmp_path, 1)], workers=2)
    assert next(running) == (0, 1)
    while not any(tmp_path.iterdir()):
        time.sleep(0.01)

    running.close()

    assert not any(tmp_path.iterdir())
