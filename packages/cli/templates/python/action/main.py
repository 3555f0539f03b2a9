"""My plugin: speaks the mmm protocol with nothing but Python's standard library."""

import json
import sys
import traceback


class Refused(Exception):
    """An input the caller has to correct; the message is shown to people."""


def greet(arguments, context):
    # The host has checked the input against schemas/greet.input.json. What set the action off is in the context;
    # without a key that was struck there is no velocity.
    greeting = f"Hello, {arguments['name']}!"
    return greeting.upper() if context.get("velocity", 64) > 100 else greeting


CAPABILITIES = {"greet": greet}


def answer(method, params):
    """The result of one request. An empty one is right for everything but a call."""
    if method != "execute":
        return {}
    run = CAPABILITIES[params["capability"]["name"]]
    return {"output": run(params["input"], params["context"])}


def reply_to(message):
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    try:
        reply["result"] = answer(message["method"], message.get("params") or {})
    except Refused as refused:
        data = {"kind": "invalid_params", "retryable": False}
        reply["error"] = {"code": -32602, "message": str(refused), "data": data}
    except Exception as problem:
        # The caller gets a sentence, the log where it happened.
        traceback.print_exc()
        data = {"kind": "internal_error", "retryable": False}
        reply["error"] = {"code": -32603, "message": str(problem) or type(problem).__name__, "data": data}
    return reply


def main():
    # One JSON message a line. The loop ends, and the plugin with it, when the host closes stdin.
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            print(json.dumps(reply_to(message)), flush=True)


if __name__ == "__main__":
    main()
