"""Figures of a replay: latency, missed frames, accuracy, reports. Takes time stamps; no ROS."""
