"""The statement that a result was made by AI: a comment, and the IPTC digital source type in an XMP packet."""

import struct
import zlib
from pathlib import Path
from uuid import UUID

from everybody_dance.errors import DanceError

AI_COMMENT = "Made by AI: the person in this video was synthesized by everybody-dance and did not move like this."
AI_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP_BOX = UUID("BE7ACFCB-97A9-42E8-9C71-999491E3AFAC").bytes
XMP_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <Iptc4xmpExt:DigitalSourceType>{AI_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


def append_statement(path: Path) -> None:
    """Append the XMP packet to a finished MP4 file."""
    with path.open("ab") as file:
        file.write(struct.pack(">I4s", 8 + len(XMP_BOX) + len(XMP_PACKET), b"uuid") + XMP_BOX + XMP_PACKET)


def png_with_statement(png: bytes) -> bytes:
    """An encoded PNG with the statement in chunks of international text, where XMP has its place."""
    after_header = 33  # signature and IHDR
    chunks = _text_chunk(b"XML:com.adobe.xmp", XMP_PACKET) + _text_chunk(b"Comment", AI_COMMENT.encode())
    return png[:after_header] + chunks + png[after_header:]


def _text_chunk(keyword: bytes, text: bytes) -> bytes:
    content = b"iTXt" + keyword + bytes(5) + text  # not compressed, and of no language
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def made_by_ai(path: Path) -> bool:
    """Whether the MP4 file says in its XMP packet that a trained algorithm made it.

    Raises:
        DanceError: there is no such file (``file-not-found``).
    """
    try:
        with path.open("rb") as file:
            end = path.stat().st_size
            while file.tell() + 8 <= end:
                start = file.tell()
                length, kind = struct.unpack(">I4s", file.read(8))
                if length == 1:  # the length does not fit into 32 bits and follows
                    length = int.from_bytes(file.read(8))
                elif length == 0:
                    length = end - start
                if length < 8:
                    return False
                if kind == b"uuid" and file.read(16) == XMP_BOX:
                    return AI_SOURCE_TYPE.encode() in file.read(min(length, 1 << 20))
                file.seek(start + length)
    except FileNotFoundError as error:
        raise DanceError("file-not-found", f"There is no file {path}.") from error
    return False
