"""The ROS package of the nodes: `ros2 run rove <node>`, `ros2 launch rove bringup.launch.py`."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "rove"
NODES = ("bridge", "teleop", "policy", "arbiter", "recorder", "keeper", "console")
# `launch` is a symlink to the repository's top-level folder.
LAUNCH_FILES = sorted(str(path) for path in Path("launch").glob("*.py"))

setup(
    name=NAME,
    version="0.1.0",
    description="ROVE's thin nodes, the node graph and the rove command",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["**/*.yaml", "**/*.json", "**/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", LAUNCH_FILES),
    ],
    zip_safe=False,
    entry_points={"console_scripts": [f"{node} = {NAME}.nodes.{node}:main" for node in NODES]},
)
