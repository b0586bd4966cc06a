"""`ozfig chat`, as a person at a terminal and as a script use it."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

COMMAND = [sys.executable, "-m", "ozfig.cli", "chat"]


def test_piped_questions_are_answered_in_turn(gguf):
    asked = "/system Be brief.\nWhat is water?\n/reset\n/wrong\n/quit\nNever asked\n"
    done = subprocess.run([*COMMAND, str(gguf)], input=asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 20
    assert "system: Be brief." in done.stderr
    assert "a new conversation" in done.stderr
    assert done.stderr.count("/reset forgets") == 2
    assert len(re.findall(r"^ +\d+\.\d s$", done.stderr, re.MULTILINE)) == 1


def test_a_pipe_gets_each_answer_on_lines_of_its_own(gguf):
    asked = "What is water?\n/reset\nWhat is a boat?\n"
    done = subprocess.run([*COMMAND, str(gguf)], input=asked, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []  # not padded to a terminal's width
    assert max(map(len, lines)) > 100
    assert len([line for line in lines if line]) >= 2


def test_a_file_that_is_no_model_is_told(tmp_path):
    path = tmp_path / "no.gguf"
    path.write_bytes(b"nothing")
    done = subprocess.run([*COMMAND, str(path)], input="", capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "not a GGUF file" in done.stderr


class Terminal:
    """A chat in a terminal of its own."""

    def __init__(self, *arguments):
        own, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.own, self.unread = own, b""

    def until(self, pattern, seconds=20):
        """Read up to a text that the screen gets."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern.encode(), self.unread):
                self.unread = self.unread[found.end() :]
                return
            if select.select([self.own], [], [], 0.1)[0]:
                self.unread += os.read(self.own, 65536)
        raise AssertionError(f"{pattern!r} did not come: {self.unread!r}")

    def type(self, text):
        os.write(self.own, text.encode())


def test_ctrl_c_stops_the_answer_and_not_the_chat(gguf):
    chat = Terminal(str(gguf))
    try:
        chat.until("> ")
        chat.type("Tell me everything\n")
        chat.until("everything")  # what was typed is no answer yet
        chat.until(r"[a-z]{3,}.*[a-z]{3,}\s")
        os.kill(chat.process.pid, signal.SIGINT)
        chat.until("stopped")
        chat.until("> ")
        time.sleep(0.5)  # the prompt is there a moment before its wait can be interrupted
        os.kill(chat.process.pid, signal.SIGINT)
        chat.until("> ")
        chat.type("/quit\n")
        assert chat.process.wait(20) == 0
    finally:
        chat.process.kill()
        os.close(chat.own)
