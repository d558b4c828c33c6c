"""What a job does, as JSON and back: the workflows' own requests, one kind for each."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from everybody_dance.errors import UsageError
from everybody_dance.workflows.requests import (
    EvaluateRequest,
    PrepareRequest,
    PreviewRequest,
    TrainRequest,
    TransferRequest,
)

Request: TypeAlias = PrepareRequest | TrainRequest | TransferRequest | PreviewRequest | EvaluateRequest

PREPARE: Final = "prepare"
TRAIN: Final = "train"
TRANSFER: Final = "transfer"
PREVIEW: Final = "preview"
EVALUATE: Final = "evaluate"

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {
    PREPARE: TypeAdapter(PrepareRequest),
    TRAIN: TypeAdapter(TrainRequest),
    TRANSFER: TypeAdapter(TransferRequest),
    PREVIEW: TypeAdapter(PreviewRequest),
    EVALUATE: TypeAdapter(EvaluateRequest),
}

KINDS = tuple(_ADAPTERS)
"""In the order of a user's journey."""


def to_json(kind: str, request: Request) -> str:
    """One line of JSON that ``from_json`` turns into an equal request.

    Raises:
        UsageError: there is no such kind (``unknown-job``).
    """
    text: bytes = _adapter(kind).dump_json(request)
    return text.decode()


def from_json(kind: str, text: str | bytes) -> Request:
    """The request that ``text`` describes; what it leaves out has its default.

    Args:
        kind: one of ``KINDS``.
        text: a JSON object with the fields of the request, paths as strings.

    Raises:
        UsageError: there is no such kind (``unknown-job``), a field is missing, unknown or of another type
            (``bad-request``), or a value is refused by the request itself, with that one's code.
    """
    try:
        request: Request = _adapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"] if not str(part).startswith("function-"))
        raise UsageError("bad-request", f"This is no request to {kind}: {where or 'JSON'}: {first['msg']}.") from error
    return request


def _adapter(kind: str) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        raise UsageError("unknown-job", f"There is no job called {kind!r}; it is one of {', '.join(KINDS)}.")
    return _ADAPTERS[kind]
