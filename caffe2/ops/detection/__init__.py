"""Regions, boxes and keypoints of detectors."""
