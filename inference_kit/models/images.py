"""Images of a prompt: opened from files, addresses and data URLs, and set into the text where they belong.

Promises: what cannot be read fails with its name and one line; no more than `MOST_BYTES` are read, and no more points
than Pillow thinks safe.
"""

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.request import urlopen

from inference_kit.errors import EngineError, UserError
from inference_kit.records import Message

PLACE = "<image>"
"""What data sets write where an image belongs; without it images stand before the text."""
MOST_BYTES, SECONDS = 50 << 20, 20.0


def open_image(source: str) -> Any:
    """The image as a `PIL.Image` in RGB.

    Raises:
        EngineError: where there is none, or what is there is no image.
        UserError: where Pillow is not installed.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise UserError("images need Pillow", fix="Install it: pip install -r requirements-vision.txt.") from error
    shown = source if len(source) < 200 else f"{source[:60]}..."
    try:
        content = io.BytesIO(_content(source))
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(content).convert("RGB")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise EngineError("the image has too many points to be read", where=shown, fix="Scale it down.") from error
    except (UnidentifiedImageError, SyntaxError) as error:
        raise EngineError("this is not an image that can be read", where=shown) from error
    except (OSError, ValueError, RuntimeError, HTTPException) as error:
        raise EngineError(
            f"the image cannot be read: {getattr(error, 'strerror', None) or error}", where=shown
        ) from error


def placed(message: Message, mark: str) -> Message:
    """The message with `mark` in the place of each image.

    Raises:
        EngineError: where the text has another number of places than there are images.
    """
    places, images = message.content.count(PLACE), len(message.images)
    if places == images:
        return replace(message, content=message.content.replace(PLACE, mark))
    if places:
        raise EngineError(f"the text has {places} places {PLACE} for {images} images")
    return replace(message, content=mark * images + "\n" + message.content)


def _content(source: str) -> bytes:
    readers: dict[str, Callable[[str], bytes]] = {"http://": _fetched, "https://": _fetched, "data:": _decoded}
    read = next((read for start, read in readers.items() if source.startswith(start)), None)
    return read(source) if read else _from_file(Path(source).expanduser())


def _from_file(path: Path) -> bytes:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("a device or a pipe may never end")
    with path.open("rb") as file:
        return _bounded(file)


def _fetched(url: str) -> bytes:
    try:
        with urlopen(url, timeout=SECONDS) as response:
            return _bounded(response)
    except URLError as error:
        raise OSError(f"{error.reason}") from error


def _bounded(file: IO[bytes]) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES >> 20} MB")
    return content


def _decoded(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2], validate=True)
