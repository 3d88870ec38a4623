"""The tracker node, and a drawn scene in place of a camera; ends with a video and a latency table.

`ros2 launch litetrack_ros demo.launch.py`
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackagePrefix, FindPackageShare

TRACKER_ARGUMENTS = ("model", "backend", "device")


def generate_launch_description():
    """The tracker's launch file, and the demo that plays to it."""
    tracker_file = PathJoinSubstitution(
        [FindPackageShare("litetrack_ros"), "launch", "tracker.launch.py"]
    )
    command = PathJoinSubstitution(
        [FindPackagePrefix("litetrack_ros"), "lib", "litetrack_ros", "litetrack"]
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("frames", default_value="300", description="pictures to play"),
            DeclareLaunchArgument(
                "output", default_value="litetrack_demo.mp4", description="the video to write"
            ),
            *(
                DeclareLaunchArgument(name, default_value="", description="as of the tracker")
                for name in TRACKER_ARGUMENTS
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(tracker_file),
                launch_arguments={
                    name: LaunchConfiguration(name) for name in TRACKER_ARGUMENTS
                }.items(),
            ),
            ExecuteProcess(
                cmd=[
                    *(command, "demo", "--attach"),
                    *("--frames", LaunchConfiguration("frames")),
                    *("--output", LaunchConfiguration("output")),
                ],
                output="screen",
                on_exit=Shutdown(reason="the demo is over"),
            ),
        ]
    )
