"""The tracker node on a bag that `ros2 bag play --clock` plays, in the bag's own time.

`ros2 launch litetrack_ros bag_replay.launch.py bag:=run1 image:=/camera/image_raw \
init_box:="204 150 17 50" record:=run1_boxes`
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

TRACKER_ARGUMENTS = ("image", "model", "backend", "device", "image_transport")
RESULTS = ("/litetrack/tracked_boxes", "/litetrack/timing", "/diagnostics")


def start(context, *_):
    """The player, the init box, and a recorder where one is asked for."""

    def value(name):
        return LaunchConfiguration(name).perform(context)

    actions = []
    numbers = [float(word) for word in value("init_box").split()]
    if numbers:
        if len(numbers) != 4:
            raise RuntimeError("init_box must be four numbers: x y w h")
        fields = ", ".join(
            f"{name}: {number}"
            for name, number in zip(("x", "y", "width", "height"), numbers, strict=True)
        )
        # A zero stamp is the newest image; the node waits for the first one.
        topic, kind = "/litetrack/init_box", "litetrack_ros/msg/InitBox"
        command = ["ros2", "topic", "pub", "--once", "-w", "1", topic, kind, f"{{{fields}}}"]
        actions.append(ExecuteProcess(cmd=command, output="log"))
    if value("record"):
        command = ["ros2", "bag", "record", "--use-sim-time", "-o", value("record"), *RESULTS]
        actions.append(ExecuteProcess(cmd=command, output="log"))
    play = ["ros2", "bag", "play", value("bag"), "--clock", "200", "--rate", value("rate")]
    play += ["--delay", value("delay")]
    actions.append(
        ExecuteProcess(cmd=play, output="screen", on_exit=Shutdown(reason="the bag has ended"))
    )
    return actions


def generate_launch_description():
    """The tracker's launch file with the bag's clock, and what plays to it."""
    tracker_file = PathJoinSubstitution(
        [FindPackageShare("litetrack_ros"), "launch", "tracker.launch.py"]
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="the bag to play"),
            DeclareLaunchArgument("image", default_value="image", description="its image topic"),
            DeclareLaunchArgument(
                "init_box", default_value="", description="x y w h in the first image, px"
            ),
            DeclareLaunchArgument(
                "record", default_value="", description="bag to record the results to"
            ),
            DeclareLaunchArgument("rate", default_value="1.0", description="times faster"),
            DeclareLaunchArgument(
                "delay", default_value="10.0", description="time for the node to load, s"
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description="as of the tracker")
                for name in TRACKER_ARGUMENTS
                if name != "image"
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(tracker_file),
                launch_arguments=[
                    ("use_sim_time", "true"),
                    *((name, LaunchConfiguration(name)) for name in TRACKER_ARGUMENTS),
                ],
            ),
            OpaqueFunction(function=start),
        ]
    )
