"""What clients did and what they were told: one JSON line per step in a file outside of the system under test.

A step is an invocation ("invoke", with everything that says what was asked for) or an outcome of one: "ok" (answered 2xx), "unknown"
(no answer, or a 503: it may have happened), "refused" (any other answer). The last outcome of an operation counts.
"""
import json
import threading
import time

INVOKE, OK, UNKNOWN, REFUSED = "invoke", "ok", "unknown", "refused"


class Ledger:
    """Appends; any thread."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.file = open(path, "a", encoding="utf-8")
        self.operations = 0

    def operation(self):
        """The number of a new operation."""
        with self.lock:
            self.operations += 1
            return self.operations

    def write(self, step, **fields):
        line = json.dumps({"at": round(time.time(), 3), "step": step, **fields})
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()

    def close(self):
        self.file.close()


def read(path):
    """{operation: what was asked for, with `outcome`, and `answer` when it is ok}; and the other lines."""
    operations, others = {}, []
    for line in open(path, encoding="utf-8"):
        entry = json.loads(line)
        number = entry.get("operation")
        if number is None:
            others.append(entry)
        elif entry["step"] == INVOKE:
            operations.setdefault(number, {**entry, "outcome": UNKNOWN, "tries": 0})["tries"] += 1
        else:
            operations[number]["outcome"] = entry["step"]
            operations[number]["answer"] = entry
    return operations, others
