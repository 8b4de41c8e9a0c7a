"""Images of a prompt: opened from files, addresses and data URLs, and marked in the text where they belong.

Why: data sets name images in three ways, and models that read images differ in how a text says where one stands.

Promises: what cannot be read fails with its name and one line; no more than `MOST_BYTES` are read, and no more points
than Pillow thinks safe; a file that was replaced has another digest.
"""

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import URLError
from urllib.request import urlopen

from inference_kit.errors import EngineError, UserError
from inference_kit.models.local.weights import digest_samples
from inference_kit.records import Message

PLACE = "<image>"
"""What data sets write where an image belongs; without it images stand before the text."""
MOST_BYTES, SECONDS = 50 << 20, 20.0


def open_image(source: str) -> Any:
    """Open an image as a `PIL.Image` in RGB.

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
        content = io.BytesIO(_read_content(source))
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


def mark_images(message: Message, mark: str) -> Message:
    """Put `mark` into the message's text in the place of each image.

    Raises:
        EngineError: where the text has another number of places than there are images.
    """
    places, images = message.content.count(PLACE), len(message.images)
    if places == images:
        return replace(message, content=message.content.replace(PLACE, mark))
    if places:
        raise EngineError(f"the text has {places} places {PLACE} for {images} images")
    return replace(message, content=mark * images + "\n" + message.content)


def digest_file(source: str) -> str | None:
    """Digest an image's file; None for an address or a data URL, and for what is no file."""
    if _choose_reader(source):
        return None
    try:
        path = Path(source).expanduser()
        about = path.stat()
        return _digest_version(path, about.st_mtime_ns, about.st_size) if path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # whoever needs the image says what is wrong with it
        return None


@lru_cache(maxsize=8192)
def _digest_version(path: Path, _modified: int, _size: int) -> str:
    """Digest a file; the arguments after it make an entry of the cache hold for this version of the file only."""
    return digest_samples(path).hex()


def _read_content(source: str) -> bytes:
    read = _choose_reader(source)
    return read(source) if read else _read_file(Path(source).expanduser())


def _choose_reader(source: str) -> Callable[[str], bytes] | None:
    readers: dict[str, Callable[[str], bytes]] = {
        "http://": _read_url,
        "https://": _read_url,
        "data:": _decode_data_url,
    }
    return next((read for start, read in readers.items() if source.startswith(start)), None)


def _read_file(path: Path) -> bytes:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("a device or a pipe may never end")
    with path.open("rb") as file:
        return _read_bounded(file)


def _read_url(url: str) -> bytes:
    try:
        with urlopen(url, timeout=SECONDS) as response:
            return _read_bounded(response)
    except URLError as error:
        raise OSError(f"{error.reason}") from error


def _read_bounded(file: IO[bytes]) -> bytes:
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES >> 20} MB")
    return content


def _decode_data_url(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2], validate=True)
