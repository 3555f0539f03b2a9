"""Counts what is in a text. Speaks the plugin protocol with nothing but Python's standard library."""

import json
import re
import sys
from collections import Counter

# A word is a run of letters, digits and marks; an apostrophe or hyphen inside it does not end it.
WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
SENTENCE_END = re.compile(r"[.!?…。！？]+(?=\s|[\"'”’)\]]|$)")


class Refused(Exception):
    """A request that gets an error for an answer."""

    def __init__(self, code, kind, message):
        super().__init__(message)
        self.code = code
        self.kind = kind


def count(arguments):
    text = arguments.get("text") if isinstance(arguments, dict) else None
    if not isinstance(text, str):
        raise Refused(-32602, "invalid_params", "text: is required and must be a string.")
    top = arguments.get("top", 10)
    if isinstance(top, bool) or not isinstance(top, int) or not 0 <= top <= 1000:
        raise Refused(-32602, "invalid_params", "top: must be an integer from 0 to 1000.")
    words = [word.lower() for word in WORD.findall(text)]
    frequent = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))[:top]
    return {
        "characters": len(text),
        "words": len(words),
        "lines": text.count("\n") + (1 if text and not text.endswith("\n") else 0),
        "sentences": len(SENTENCE_END.findall(text)),
        "frequent": [{"word": word, "count": times} for word, times in frequent],
    }


def answer(method, params):
    if method in ("initialize", "ping", "shutdown"):
        return {}
    if method == "execute":
        capability = params.get("capability") or {}
        if (capability.get("kind"), capability.get("name")) != ("tool", "count"):
            raise Refused(-32056, "unknown_capability", "There is only the tool \"count\" here.")
        return {"output": count(params.get("input"))}
    raise Refused(-32601, "method_not_found", f"There is no method {json.dumps(method)} here.")


def handle(message):
    """The reply to one message, or None for a notification, which has no id."""
    if "id" not in message or "method" not in message:
        return None
    reply = {"jsonrpc": "2.0", "id": message["id"]}
    try:
        reply["result"] = answer(message["method"], message.get("params") or {})
    except Refused as refused:
        data = {"kind": refused.kind, "retryable": False}
        reply["error"] = {"code": refused.code, "message": str(refused), "data": data}
    except Exception as problem:
        data = {"kind": "internal_error", "retryable": False}
        reply["error"] = {"code": -32603, "message": str(problem) or type(problem).__name__, "data": data}
    return reply


def main():
    # One JSON message a line; the loop ends, and the plugin with it, when the host closes stdin.
    for line in sys.stdin.buffer:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            print("not a message:", line[:200], file=sys.stderr)
            continue
        reply = handle(message) if isinstance(message, dict) else None
        if reply is not None:
            # ASCII escapes keep a lone surrogate in the text from breaking the output.
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
