"""A made pan-tilt camera follows a target by the tracker's bearings; ends with a table of errors.

`ros2 launch litetrack_ros follow.launch.py`
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackagePrefix


def generate_launch_description():
    """The command that starts a tracker node for each way of following, one after the other."""
    command = PathJoinSubstitution(
        [FindPackagePrefix("litetrack_ros"), "lib", "litetrack_ros", "litetrack"]
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("model", default_value="litetrack_nano", description="to track"),
            DeclareLaunchArgument(
                "tune_s", default_value="3.0", description="each controller is tried so long"
            ),
            DeclareLaunchArgument(
                "follow_s", default_value="7.0", description="each path is followed so long"
            ),
            ExecuteProcess(
                cmd=[
                    *(command, "node", "follow", "--model", LaunchConfiguration("model")),
                    *("--tune-s", LaunchConfiguration("tune_s")),
                    *("--follow-s", LaunchConfiguration("follow_s")),
                ],
                output="screen",
                on_exit=Shutdown(reason="the paths are over"),
            ),
        ]
    )
