"""What a filled image keeps of its file beside the pixels, and what not."""

from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

XMP_IN_PNG = "XML:com.adobe.xmp"
MOST_IN_JPEG = 65_000
"""Bytes of EXIF, or of XMP, that a JPEG holds."""


def kept_metadata(image: Image.Image, mode: str, kind: str) -> tuple[dict[str, Any], list[str]]:
    """Return options by which Pillow keeps a decoded image's metadata in a format, and what is lost, a clause each.

    Colour profile, resolution, XMP and EXIF are kept; without the orientation and the thumbnail, which would be wrong.
    """
    info, stored, options = image.info, image.info["stored"], dict[str, Any]()
    others = (isinstance(info[key], str) or key in ("photoshop", "comment") for key in info if key != XMP_IN_PNG)
    lost = ["IPTC, text or tags"] if any(others) else []
    with suppress(Exception):  # damaged numbers
        x, y = map(float, info["dpi"])
        options |= {"dpi": (x, y) if image.size == stored.size else (y, x)} if 0 < min(x, y) <= max(x, y) < 1e6 else {}
    if kind == "WEBP" and options.pop("dpi", None):
        lost.append("resolution")
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
    if info.get("xmp") and kind == "TIFF":
        lost.append("XMP")
    elif info.get("xmp"):
        options["xmp"] = info["xmp"]
    for name in ("exif", "xmp"):
        if kind == "JPEG" and len(options.get(name, b"")) > MOST_IN_JPEG:
            lost.append(f"{name.upper()} of {len(options.pop(name)):,} bytes")
    if kind == "PNG" and "xmp" in options:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt(XMP_IN_PNG, options.pop("xmp"))
    changes = [f"{stored.mode} became RGB"] if stored.mode in ("CMYK", "YCbCr", "LAB") else []
    return options, changes + [f"{name} left out" for name in lost]
