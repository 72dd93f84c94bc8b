"""Objects in images: boxes, the detector's loss, and how detections are judged."""
