"""Objects in pictures: boxes, the detector's loss, and how detections are judged."""
