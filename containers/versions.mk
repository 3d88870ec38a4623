# Every version that the containers are built from. Included by make, and read by compose (as
# KEY=VALUE lines), so that each stands here alone. No blanks around "=".

# Official images of ROS 2, by distribution; amd64 and arm64 under one name.
ROS_IMAGE_humble=docker.io/library/ros:humble-ros-base
ROS_IMAGE_jazzy=docker.io/library/ros:jazzy-ros-base
ROS_IMAGE_lyrical=docker.io/library/ros:lyrical-ros-base

# onnxruntime for the Python of each (3.10, 3.12, 3.14).
ONNXRUNTIME_humble=onnxruntime==1.17.3
ONNXRUNTIME_jazzy=onnxruntime==1.20.1
ONNXRUNTIME_lyrical=onnxruntime==1.24.1

# Jetson: JetPack 6 (Ubuntu 22.04, so Humble), NVIDIA's onnxruntime and the index that has it.
JETSON_IMAGE=nvcr.io/nvidia/l4t-jetpack:r36.4.0
JETSON_ONNXRUNTIME=onnxruntime-gpu==1.20.0
JETSON_INDEX=https://pypi.jetson-ai-lab.io/jp6/cu126
ROS_APT_SOURCE=1.1.0
