"""What a worker tells, as JSON objects; the same are kept with a job and shown on a page.

``{"event": "finding" | "progress" | "artifact", ...}`` have the fields of ``events.Finding``, ``Progress`` and
``Artifact``. The last one of a job is one of

    {"event": "done", "figures": {...}, "outputs": {name: path}}
    {"event": "failed", "code": ..., "message": ...}
    {"event": "cancelled"}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from everybody_dance.events import Artifact, Event, Finding, Progress

Message: TypeAlias = Mapping[str, Any]

DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
LAST = (DONE, FAILED, CANCELLED)


def to_message(event: Event) -> Message:
    """The event as a JSON object."""
    match event:
        case Finding():
            return {"event": "finding", **vars(event), "values": dict(event.values)}
        case Progress():
            return {"event": "progress", **vars(event)}
        case Artifact():
            return {"event": "artifact", "name": event.name, "path": str(event.path)}


def to_event(message: Message) -> Event:
    """The event that ``to_message`` made a JSON object of.

    Raises:
        ValueError: it is none.
    """
    fields = {name: value for name, value in message.items() if name != "event"}
    match message.get("event"):
        case "finding":
            return Finding(**fields)
        case "progress":
            return Progress(**fields)
        case "artifact":
            return Artifact(fields["name"], Path(fields["path"]))
    raise ValueError(f"{message.get('event')!r} is no event of the work")
