"""Runs the calls of a public client one after the other and prints one line each.

A line is `name: what came back` or `name: Exception: its words`, with what differs from run to run (ids, addresses)
put into capitals. The same lines came from the original FastDFS 6.16.1; see `*.expected`.
"""

import re
import signal

# What a file id looks like, and what a name without its group does.
ID = re.compile(r"group1/M[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-Za-z_.-]+")
NAME = re.compile(r"M[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-Za-z_.-]+")
ADDRESS = re.compile(r"127\.0\.0\.[0-9]+")
# No call takes this long, unless it hangs: both clients spin when a server closes in the middle of an answer.
SECONDS = 20


class Hangs(BaseException):
    """Not an Exception, so that no client takes it for one of its own."""


def _alarm(_signal, _frame):
    raise Hangs


signal.signal(signal.SIGALRM, _alarm)


def words(value):
    """A value as text that is the same in every run."""
    text = str(value)
    for pattern, word in ((ID, "ID"), (NAME, "NAME"), (ADDRESS, "IP")):
        text = pattern.sub(word, text)
    return text


def call(name, function):
    """Prints what `function` gives; returns it, or None when it raised."""
    signal.alarm(SECONDS)
    try:
        value = function()
    except Exception as error:  # whatever a client raises is part of what is compared
        kind = type(error)
        # The words of Python itself differ between its versions.
        own_fault = kind.__module__ in ("builtins", "struct")
        print(f"{name}: {kind.__name__}: {'the client is at fault' if own_fault else words(error)}", flush=True)
        return None
    except Hangs:
        print(f"{name}: hangs", flush=True)
        return None
    finally:
        signal.alarm(0)
    print(f"{name}: {words(value)}", flush=True)
    return value
