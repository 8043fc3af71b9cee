"""What the chapters of the story share: the client, the twin, the webhook receiver, what was learnt on the way, and how steps are told."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, TypeVar

from browser import Browser
from client import Client
from receiver import Receiver
from twin import Twin

T = TypeVar("T")

# Seconds: how long something may take to come true, and how often it is looked at.
PATIENCE, LOOK = 30.0, 0.01
SYSTEM_TAG = "Rekomi affiliate"


class Step:
    """One step while it runs; what is noted is printed behind its name."""

    def __init__(self, name: str):
        self.name = name
        self.notes: List[str] = []

    def note(self, words: str) -> None:
        self.notes.append(words)


@dataclass
class Walk:
    client: Client
    # A key of another organization, to be refused.
    stranger: Client
    twin: Twin
    receiver: Receiver
    # The vendor's credentials by the names of the connect form.
    credentials: Dict[str, str]
    connector: str
    told: List[Dict[str, Any]] = field(default_factory=list)
    # Seconds, by what was waited for.
    waits: Dict[str, float] = field(default_factory=dict)
    # What later chapters need, by name.
    known: Dict[str, Any] = field(default_factory=dict)

    def browser(self) -> Browser:
        return Browser()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        step, started = Step(name), time.monotonic()
        try:
            yield step
        except BaseException:
            print(f"FAILED  {name}", flush=True)
            raise
        took = time.monotonic() - started
        self.told.append({"step": name, "seconds": round(took, 3), "seen": step.notes})
        print(f"ok {took:7.3f} s  {name}" + (f": {'; '.join(step.notes)}" if step.notes else ""), flush=True)

    def until(self, what: str, look: Callable[[], Optional[T]], since: Optional[float] = None) -> T:
        """Looks again and again until something true is seen; how long that took from `since` on is kept under `what`."""
        started = time.monotonic()
        while True:
            seen = look()
            if seen:
                self.waits[what] = round(time.monotonic() - (started if since is None else since), 3)
                return seen
            if time.monotonic() - started > PATIENCE:
                raise AssertionError(f"not seen after {PATIENCE:.0f} s: {what}; last look: {seen!r}")
            time.sleep(LOOK)

    def quiet(self) -> None:
        """Waits until no sync is open any more."""
        open_states = ("pending", "running", "waiting", "retrying")

        def none_open() -> bool:
            counts = self.client.ok("count_syncs")
            return not any(counts[state] for state in open_states)

        self.until("no sync is open", none_open)
