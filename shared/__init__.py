"""The library every service stands on: plumbing and vocabulary, never business."""
