"""Uploads in pieces, which go on where they were."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from everybody_dance.studio.studio import Studio
from everybody_dance.studio.uploads import Upload


class NewUpload(BaseModel):
    """A file that is to be uploaded."""

    name: str = Field(max_length=1000, description="What it is called; only used to name what is made of it.")
    size: int = Field(description="Bytes.")


def uploads_routes(studio: Studio) -> APIRouter:
    """``/uploads``."""
    routes = APIRouter(prefix="/uploads", tags=["uploads"])
    uploads = studio.desk.uploads

    @routes.post("", status_code=201)
    def begin(new: NewUpload) -> Upload:
        """Announce a file. Then send its bytes with PATCH."""
        return uploads.begin(new.name, new.size)

    @routes.get("/{upload}")
    def find(upload: str) -> Upload:
        """How far an upload is: go on at its offset."""
        return uploads.find(upload)

    @routes.patch("/{upload}")
    async def add(upload: str, offset: Annotated[int, Query(ge=0)], request: Request) -> Upload:
        """Add the body at ``offset``, which must be where the upload is."""
        return await uploads.add(upload, offset, request.stream())

    @routes.delete("/{upload}", status_code=204)
    def remove(upload: str) -> None:
        """Give up an upload."""
        uploads.remove(upload)

    return routes
