"""The tracker node: `ros2 launch litetrack_ros tracker.launch.py image:=/camera/image_raw`."""

import shlex

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackagePrefix, FindPackageShare

# Launch arguments that set a parameter of the same name where they are not empty.
PARAMETERS = {
    "model": "name of a shipped model, or path of a weights file",
    "backend": "auto, torch or onnx",
    "device": "cpu, cuda, cuda:N or auto; with onnx tensorrt and openvino too",
    "image_transport": "raw or compressed",
}


def start(context, *_):
    """The node, with the arguments given on the command line over the parameter file."""
    given = {name: LaunchConfiguration(name).perform(context) for name in PARAMETERS}
    use_sim_time = LaunchConfiguration("use_sim_time").perform(context)
    overrides = {name: value for name, value in given.items() if value}
    autostart = LaunchConfiguration("autostart").perform(context)
    if autostart:
        overrides["autostart"] = autostart.lower() in ("true", "1")
    overrides["use_sim_time"] = use_sim_time.lower() in ("true", "1")
    node = Node(
        package="litetrack_ros",
        executable="tracker_node",
        name="litetrack",
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), overrides],
        remappings=[("image", LaunchConfiguration("image"))],
        output="screen",
        # One that crashed, or ended itself because a call of the model never returned.
        respawn=LaunchConfiguration("respawn").perform(context).lower() in ("true", "1"),
        respawn_delay=2.0,
    )
    if LaunchConfiguration("page").perform(context).lower() not in ("true", "1"):
        return [node]
    namespace = LaunchConfiguration("namespace").perform(context).strip("/")
    name = f"/{namespace}/litetrack" if namespace else "/litetrack"
    command = PathJoinSubstitution(
        [FindPackagePrefix("litetrack_ros"), "lib", "litetrack_ros", "litetrack"]
    )
    words = shlex.split(LaunchConfiguration("page_arguments").perform(context))
    words += ["--use-sim-time"] if overrides["use_sim_time"] else []
    return [
        node,
        # A process of its own: it may end without the node noticing.
        ExecuteProcess(cmd=[command, "page", "--node", name, *words], output="screen"),
    ]


def generate_launch_description():
    """Arguments and the node."""
    default_file = PathJoinSubstitution(
        [FindPackageShare("litetrack_ros"), "config", "tracker.yaml"]
    )
    arguments = [
        DeclareLaunchArgument("image", default_value="image", description="topic of the images"),
        DeclareLaunchArgument(
            "params_file", default_value=default_file, description="YAML file of parameters"
        ),
        DeclareLaunchArgument("namespace", default_value="", description="of the node"),
        DeclareLaunchArgument(
            "use_sim_time", default_value="false", description="take the time from /clock"
        ),
        DeclareLaunchArgument(
            "autostart",
            default_value="",
            description="true: configure and activate at start; false: wait for transitions "
            "(empty: as in the file)",
        ),
        DeclareLaunchArgument(
            "respawn", default_value="true", description="start the node again when it has ended"
        ),
        DeclareLaunchArgument(
            "page", default_value="false", description="serve the operator's page too"
        ),
        DeclareLaunchArgument(
            "page_arguments", default_value="", description="of litetrack page, as '--host 0.0.0.0'"
        ),
    ]
    arguments += [
        DeclareLaunchArgument(name, default_value="", description=f"{what} (empty: as in the file)")
        for name, what in PARAMETERS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
