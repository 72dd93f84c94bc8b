"""What a filled image keeps of its file beside the pixels, and what not."""

from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image


def kept_metadata(image: Image.Image, mode: str) -> tuple[dict[str, Any], list[str]]:
    """Return options by which Pillow keeps a decoded image's metadata in a PNG, and what is lost, a clause each.

    Colour profile, resolution and EXIF are kept; without the orientation and the thumbnail, which would be wrong.
    """
    info, stored, options = image.info, image.info["stored"], dict[str, Any]()
    others = any(isinstance(value, str) or key in ("xmp", "photoshop", "comment") for key, value in info.items())
    lost = ["XMP, IPTC, text or tags"] if others else []
    with suppress(Exception):  # damaged numbers
        x, y = map(float, info["dpi"])
        options |= {"dpi": (x, y) if image.size == stored.size else (y, x)} if 0 < min(x, y) <= max(x, y) < 1e6 else {}
    profile = info.get("icc_profile") or b""
    if profile[16:20] == {"L": b"GRAY", "RGB": b"RGB "}[mode]:
        options["icc_profile"] = profile
    elif profile:
        lost.append("colour profile of another colour space")
    if "exif" in info:
        try:
            exif = Image.Exif()
            exif.load(info["exif"])
            exif.pop(ExifTags.Base.Orientation, None)
            options["exif"] = exif.tobytes()
        except Exception:  # damaged EXIF leads Pillow to errors of any kind
            lost.append("damaged EXIF")
    changes = ["16 bits a channel became 8"] if stored.deep else []
    changes += [f"{stored.mode} became RGB"] if stored.mode in ("CMYK", "YCbCr", "LAB") else []
    return options, changes + [f"{name} left out" for name in lost]
