"""Why no image comes: 'nothing comes out and no error' is the complaint heard most."""

from __future__ import annotations

from collections.abc import Sequence

from litetrack_ros.node.distribution import profiles_variable

_MAX_TOPICS = 5


def no_image_message(
    topic: str, qos: str, silent_s: float, publishers: int, image_topics: Sequence[str]
) -> str:
    """One sentence on a silent topic, with what to try.

    Args:
        topic: the resolved topic of the images.
        qos: what this node asks for, in words.
        silent_s: how long no image came.
        publishers: publishers seen on the topic.
        image_topics: topics of the same type that somebody publishes.
    """
    start = f"no image on {topic} for {silent_s:.0f} s (QoS asked for: {qos})"
    if publishers:
        return (
            f"{start}, though it has {publishers} publisher{'s' if publishers > 1 else ''}: is the "
            "camera running? If it is, its images may be lost on the way, being larger than Fast "
            f"DDS's shared memory: start the camera with {profiles_variable()} set to "
            "config/fastdds_images.xml of this package, or use image_transport: compressed"
        )
    others = [name for name in image_topics if name != topic]
    if others:
        shown = ", ".join(others[:_MAX_TOPICS]) + (", ..." if len(others) > _MAX_TOPICS else "")
        return f"{start}: nobody publishes it; images are on {shown}: remap with image:=TOPIC"
    return (
        f"{start}: nobody publishes it, or discovery fails: compare ROS_DOMAIN_ID, "
        "ROS_AUTOMATIC_DISCOVERY_RANGE and RMW_IMPLEMENTATION on both sides"
    )
