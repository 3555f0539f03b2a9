# Forks without end for `seconds`, at most `ceiling` living copies of itself, should no limit stop it.
import json
import mmap
import os
import signal
import sys

signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def bomb(ceiling, seconds):
    living = mmap.mmap(-1, 4)
    signal.alarm(seconds)
    while True:
        if int.from_bytes(living[:4], "little") >= ceiling:
            continue
        try:
            if os.fork() == 0:
                signal.alarm(seconds)
                living[:4] = (int.from_bytes(living[:4], "little") + 1).to_bytes(4, "little")
        except OSError:
            continue


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "execute":
        bomb(**message["params"]["input"])
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}), flush=True)
