"""Exported networks (`spl export onnx`) as fills of images of any size, by onnxruntime, without torch."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from spl.common.errors import DataError
from spl.filling.holes import Fill, at_size

FORMAT = "1"
"""Of exported files: the names, types and meaning of inputs, output and facts."""

EXPORT = "Export it again, in an installation with torch: spl export onnx --weights FOLDER --out FILE.onnx"


def load_exported(path: Path) -> tuple[Fill, int]:
    """Load an exported network; return a fill, and the side in pixels of the squares that it gets.

    Raises: DataError if the file is missing or damaged, or none that this version can read.
    """
    session = open_session(path)
    facts = session.get_modelmeta().custom_metadata_map
    if facts.get("spl.format") != FORMAT:
        told = f"of format {facts['spl.format']}" if "spl.format" in facts else "of another program"
        raise DataError(f"{path} is an ONNX file {told}; expected one of spl export onnx, of format {FORMAT}. {EXPORT}")
    return at_size(session_fill(session), int(facts["spl.image_size"])), int(facts["spl.image_size"])


def session_fill(session: Any) -> Fill:
    """Return a fill by a session for images of a size that its network takes."""

    def fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return session.run(["filled"], {"image": image[None], "mask": mask[None].astype(np.uint8)})[0][0]

    return fill


def open_session(path: Path) -> Any:
    """Load an ONNX file into onnxruntime, on the CPU, with as many threads as torch would take from OMP_NUM_THREADS.

    Raises: DataError if it is missing or damaged, needs operations that onnxruntime lacks, or keeps weights elsewhere.
    """
    import onnxruntime

    if not path.is_file():
        raise DataError(f"{path} does not exist. {EXPORT}")
    content = path.read_bytes()
    if b"\n\x08location" in content:  # an entry of TensorProto.external_data
        raise DataError(f"{path} keeps weights in other files, which are not read. {EXPORT}")
    options = onnxruntime.SessionOptions()
    threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    options.intra_op_num_threads = int(threads) if threads.isdigit() else 0  # 0 = one for each core
    options.log_severity_level = 4  # what is fatal; errors are raised
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its types have no common base
        cause = str(error).strip().splitlines()[0]
        raise DataError(f"{path} is damaged, or no ONNX file that onnxruntime can run ({cause}). {EXPORT}") from None
