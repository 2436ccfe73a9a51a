"""A text at which espeak-ng crashes or hangs ends only its own process."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("espeakng_loader")

from hf_vits.text import espeak, espeak_process, espeak_worker
from hf_vits.text.espeak_process import EspeakEndedError, EspeakProcess

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="for systems with fork and signals")
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="for systems with /proc")


def run(code, timeout=60, **options):
    """Run code in a separate Python; return its exit code and output."""
    head = "import os, sys, time, signal\nfrom hf_vits.text import espeak\n"
    result = subprocess.run(
        [sys.executable, "-c", head + code], capture_output=True, text=True, timeout=timeout, **options
    )
    return result.returncode, result.stdout, result.stderr


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ends(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


@pytest.fixture
def process():
    """A process for one test."""
    made = EspeakProcess(espeak.library_paths)
    yield made
    made.close()


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Let `worker(code)` change the worker of new processes."""

    def write(code):
        head = f"import sys; sys.path.insert(0, {os.path.dirname(espeak_worker.__file__)!r})\nimport espeak_worker\n"
        (tmp_path / "worker.py").write_text(head + code + "\nespeak_worker.main()\n")
        monkeypatch.setattr(espeak_worker, "__file__", str(tmp_path / "worker.py"))

    return write


REQUEST = b"gmw/en-US\0" + b"2\0hello"
HELLO = "həlˈoʊ"
# Each ends espeak-ng 1.52; the first four the default English voice, with SIGABRT.
DEADLY = {
    "en-us": ["'s" * 68, "s'" * 68, "’s" * 68, "Before. " + "'s" * 68 + ", after."],
    "pt": ["©a©"],
    "fa": ["ك" * 103],
    "si": ["لا]" * 24],
}


@pytest.mark.parametrize(("voice", "text"), [(voice, text) for voice, texts in DEADLY.items() for text in texts])
def test_a_text_at_which_espeak_crashes_is_divided_and_the_next_one_is_unaffected(voice, text):
    expected = espeak.clauses("banana", voice)
    spoken = espeak.clauses(text, voice)
    assert (spoken[0].start, spoken[-1].end) == (0, len(text))
    assert all(before.end == after.start for before, after in zip(spoken, spoken[1:], strict=False))
    assert all(clause.phonemes for clause in spoken)
    assert espeak.clauses("banana", voice) == expected


@pytest.mark.slow
def test_no_voice_ends_the_process_at_texts_that_crash_some_voices():
    unspoken = []
    for voice in espeak.voices():
        for text in sum(DEADLY.values(), []):
            try:
                espeak.clauses(text, voice)
            except ValueError as error:
                unspoken.append((voice, str(error)))
    assert unspoken == []


def test_the_error_of_an_ended_process_has_the_reason_and_the_next_request_starts_another(process):
    assert process.ask(REQUEST).decode().endswith(HELLO)
    first = process._process.pid
    process._process.kill()
    with pytest.raises(EspeakEndedError, match="crashed") as caught:
        process.ask(REQUEST)
    assert not caught.value.first_request
    assert process.ask(REQUEST).decode().endswith(HELLO)
    assert process._process.pid != first


def test_a_text_that_takes_too_long_ends_with_an_error_and_not_the_caller(worker, process):
    worker("""
espeak_worker._SECONDS = 0.0
answer = espeak_worker.Library.answer
def hang(library, request):
    while b"hang" in request:
        pass
    return answer(library, request)
espeak_worker.Library.answer = hang
""")
    with pytest.raises(EspeakEndedError, match="took too long") as caught:
        process.ask(REQUEST.replace(b"hello", b"hang"))
    assert caught.value.took_too_long
    assert process.ask(REQUEST).decode().endswith(HELLO)


@pytest.mark.thorough
def test_the_time_limit_applies_to_each_request(worker, process):
    worker("""
import time
espeak_worker._SECONDS = 0.5
answer = espeak_worker.Library.answer
def slow(library, request):
    end = time.process_time() + 0.45
    while time.process_time() < end:
        pass
    return answer(library, request)
espeak_worker.Library.answer = slow
""")
    for _ in range(3):
        assert process.ask(REQUEST).decode().endswith(HELLO)


def test_only_one_thread_at_a_time_uses_the_process(monkeypatch, process):
    """The second thread sends its request between the request and the answer of the first."""
    process.ask(REQUEST)
    asked, may_read, read = [], threading.Event(), espeak_worker.read
    entered = threading.Event()
    write = espeak_worker.write

    def noted(file, message):
        asked.append(message)
        write(file, message)

    def waiting(file):
        entered.set()
        assert may_read.wait(10)
        return read(file)

    monkeypatch.setattr(espeak_worker, "write", noted)
    monkeypatch.setattr(espeak_worker, "read", waiting)
    answers = {}
    texts = [b"hello", b"banana"]

    def ask(text):
        answers[text] = process.ask(REQUEST.replace(b"hello", text)).decode()

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    threads[1].join(0.3)
    assert len(asked) == 1
    may_read.set()
    for thread in threads:
        thread.join()
    assert answers[b"hello"].endswith("həlˈoʊ")
    assert answers[b"banana"].endswith("bɐnˈænə")


def test_threads_share_one_process(process):
    pids = set()

    def ask():
        for _ in range(20):
            process.ask(REQUEST)
            pids.add(process._process.pid)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 1


@pytest.mark.parametrize("moment", ["read", "write"])
def test_an_interrupt_leaves_no_answer_for_the_next_request(monkeypatch, process, moment):
    process.ask(REQUEST)
    original = getattr(espeak_worker, moment)

    def interrupted(*arguments):
        if moment == "write":
            original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(espeak_worker, moment, interrupted)
        with pytest.raises(KeyboardInterrupt):
            process.ask(REQUEST.replace(b"hello", b"banana"))
    assert process.ask(REQUEST).decode().endswith(HELLO)


def test_no_process_runs_before_the_first_text():
    code = "print(espeak._PROCESS._process); espeak.clauses('a', 'de'); print(espeak._PROCESS._process.poll())"
    assert run(code) == (0, "None\nNone\n", "")


@linux
def test_the_process_is_light(process):
    process.ask(REQUEST)
    maps = Path(f"/proc/{process._process.pid}/maps").read_text()
    assert "espeak" in maps
    assert not any(heavy in maps for heavy in ("torch", "numpy", "tokenizers"))
    (memory,) = [
        int(line.split()[1])
        for line in Path(f"/proc/{process._process.pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    assert memory < 40_000


@linux
def test_the_process_ends_with_its_parent():
    for end in ("sys.exit()", "os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)"):
        _, out, error = run(f"espeak.clauses('a', 'de'); print(espeak._PROCESS._process.pid, flush=True); {end}")
        assert error == ""
        assert ends(int(out))


@linux
def test_a_forked_child_starts_its_own_process_and_does_not_keep_its_parents_alive():
    _, out, error = run(
        """
espeak.clauses('a', 'de')
first = espeak._PROCESS._process.pid
child = os.fork()
if child == 0:
    assert espeak.clauses('a', 'de')[0].phonemes == 'ˈɑː', espeak.clauses('a', 'de')
    assert espeak._PROCESS._process.pid != first
    print('spoke', flush=True)
    os.close(1), os.close(2)
    time.sleep(6)
    os._exit(0)
time.sleep(0.5)
assert espeak.clauses('a', 'de')[0].phonemes == 'ˈɑː'
assert espeak._PROCESS._process.pid == first
print(first, child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""",
        timeout=30,
    )
    assert error == ""
    numbers = [int(word) for word in out.split() if word != "spoke"]
    assert "spoke" in out
    worker, child = numbers
    assert ends(worker, 3)
    os.kill(child, signal.SIGKILL)


@posix
def test_a_keyboard_interrupt_reaches_only_the_caller():
    code = """
import threading
espeak.clauses('a', 'de')
first = espeak._PROCESS._process.pid
print(first, flush=True)
try:
    while True:
        espeak.clauses('this is a rather long sentence ' * 200, 'en-us')
except KeyboardInterrupt:
    print(espeak.clauses('banana', 'en-us')[0].phonemes, flush=True)
second = espeak._PROCESS._process.pid
signal.signal(signal.SIGINT, lambda *_: None)
os.killpg(os.getpid(), signal.SIGINT)
time.sleep(0.2)
print(espeak.clauses('banana', 'en-us')[0].phonemes, espeak._PROCESS._process.pid == second, flush=True)
"""
    head = "import os, sys, time, signal\nfrom hf_vits.text import espeak\n"
    with subprocess.Popen(
        [sys.executable, "-c", head + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        child.stdout.readline()
        time.sleep(0.3)
        os.killpg(child.pid, signal.SIGINT)
        out, error = child.communicate(timeout=30)
    assert (out, error) == ("bɐnˈænə\nbɐnˈænə True\n", "")


@posix
def test_a_crash_writes_no_file_and_no_output(tmp_path):
    import resource

    def core_files_allowed():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    code, out, error = run(
        f"print(len(espeak.clauses({DEADLY['en-us'][0]!r}, 'en-us')))",
        cwd=tmp_path / "here",
        preexec_fn=core_files_allowed,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    assert (code, out, error) == (0, "2\n", "")
    assert [*tmp_path.glob("*/*"), *Path(espeak_worker.__file__).parent.glob("core*")] == []


def test_python_in_development_mode_reports_nothing():
    code = "import sys; from hf_vits.text import espeak; espeak.clauses('a', 'de'); espeak._PROCESS._process.kill()"
    code += "; espeak.clauses('b', 'de')"
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_a_frozen_application_runs_espeak_in_its_own_process(monkeypatch, process):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert process.ask(REQUEST).decode().endswith(HELLO)
    assert process._process is None


def test_an_interpreter_that_cannot_be_started_is_named(monkeypatch, process):
    monkeypatch.setattr(espeak_process, "_interpreter", lambda: "/nowhere/python")
    with pytest.raises(OSError, match="/nowhere/python"):
        process.ask(REQUEST)
    true = "/bin/true"
    if os.path.exists(true):
        monkeypatch.setattr(espeak_process, "_interpreter", lambda: true)
        with pytest.raises(OSError, match=f"{true}.*did not start"):
            process.ask(REQUEST)
