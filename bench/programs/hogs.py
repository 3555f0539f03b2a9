# Takes `mb` of memory in each of `processes` copies of itself at once, each less than the limit, and keeps it.
import json
import os
import sys
import time

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "execute":
        asked = message["params"]["input"]
        for _ in range(asked["processes"]):
            if os.fork() == 0:
                kept = bytearray(b"x") * (asked["mb"] << 20)
                time.sleep(60)
                os._exit(len(kept) & 1)
        time.sleep(60)
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {}}), flush=True)
