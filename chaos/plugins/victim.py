# Answers each call with its tag and its own name, or does first what the call's "fault" says.
import ctypes
import json
import os
import signal
import sys
import time

name = os.environ["MMM_PLUGIN"]
executed = os.open(os.environ["HOME"] + "/executed", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def put(descriptor, text):
    left = text.encode()
    while left:
        left = left[os.write(descriptor, left):]


def send(identity, result):
    put(1, json.dumps({"jsonrpc": "2.0", "id": identity, "result": result}) + "\n")


def answer(identity, tag):
    send(identity, {"output": {"plugin": name, "tag": tag}})


def leave_a_grandchild():
    if os.fork() != 0:
        return
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(3600)


def wait():
    while True:
        time.sleep(3600)


def last(words, end):
    put(2, words + "\n")
    end()


def half():
    put(1, '{"jsonrpc":"2.0","id":')
    os._exit(3)


def close():
    os.close(1)
    wait()


def orphan():
    leave_a_grandchild()
    os._exit(3)


log = '{"jsonrpc":"2.0","method":"log","params":{"level":"info","message":"again"}}\n'
faults = {
    "exit": lambda: last("asked to exit", lambda: os._exit(3)),
    "segv": lambda: last("about to fault", lambda: ctypes.string_at(0)),
    "abort": lambda: last("about to abort", os.abort),
    "kill": lambda: last("about to be killed", lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "hang": wait,
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "half": half,
    "close": close,
    "orphan": orphan,
    "flood-stdout": lambda: [put(1, "no message at all, only text\n" * 1000) for _ in range(40)],
    "flood-stderr": lambda: [put(2, "a line that comes much too often\n" * 1000) for _ in range(40)],
    "flood-log": lambda: [put(1, log * 1000) for _ in range(20)],
}

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "execute":
        asked = message["params"]["input"]
        put(executed, asked["tag"] + "\n")
        if asked.get("fault") == "lie":
            for identity in (987654321, "nobody", message["id"]):
                answer(identity, asked["tag"])
        elif "fault" in asked:
            faults[asked["fault"]]()
        answer(message["id"], asked["tag"])
    elif message["method"] == "initialize":
        send(message["id"], {"protocol": {"version": 1, "features": ["ping"]}})
    else:
        send(message["id"], {})
