"""Makes ROS 2 and this package's messages importable in every Python of this environment.

Copied into the environment's site-packages as ``litetrack_ros_env`` and imported by a .pth file
when Python starts. The dynamic linker reads LD_LIBRARY_PATH only at the start of a process, so
where it lacks a folder, this Python is started again, once, with the same arguments.
"""

import os
import site
import sys
from pathlib import Path

# Holds the id of the process that was restarted. A new start keeps the id: where the linker's
# variable is taken away (secure execution), this ends the loop.
_RESTARTED = "_LITETRACK_ROS_RESTARTED"


def _prepended(variable: str, folders: list[str]) -> str:
    """The value of a path variable with ``folders`` in front, each folder once."""
    present = os.environ.get(variable, "").split(os.pathsep)
    return os.pathsep.join(folders + [x for x in present if x and x not in folders])


def activate(wheels: str) -> None:
    """Sets the environment variables of ROS, and restarts Python if the linker needs them.

    Args:
        wheels: ROS distribution whose wheels this environment holds; empty where ROS is sourced.
    """
    if os.name != "posix" or not sys.executable:
        return
    prefix = Path(sys.prefix)
    workspace = prefix / "ros"  # where `make install` installs the messages
    site_packages = Path(__file__).parent
    libraries = [str(workspace / "lib")]
    prefixes = [str(workspace)]
    if wheels:
        libraries += [str(prefix / "lib"), *sorted(map(str, site_packages.glob("ros_*.libs")))]
        prefixes += [str(prefix)]
        os.environ["ROS_DISTRO"] = wheels
        os.environ["ROS_VERSION"] = "2"
        os.environ["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"  # the wheels' own restart
    os.environ["AMENT_PREFIX_PATH"] = _prepended("AMENT_PREFIX_PATH", prefixes)
    os.environ["CMAKE_PREFIX_PATH"] = _prepended("CMAKE_PREFIX_PATH", prefixes)
    for folder in (workspace / "lib").glob("python3*/site-packages"):
        site.addsitedir(str(folder))

    before = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    if set(libraries) <= set(before) or os.environ.get(_RESTARTED) == str(os.getpid()):
        return
    os.environ["LD_LIBRARY_PATH"] = _prepended("LD_LIBRARY_PATH", libraries)
    os.environ[_RESTARTED] = str(os.getpid())
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
