"""The ROS package of the simulated robot: `ros2 run rove_sim <node>`."""

from setuptools import find_packages, setup

NAME = "rove_sim"
NODES = ("sim", "lab", "operator")

setup(
    name=NAME,
    version="0.1.0",
    description="ROVE's simulated humanoid, its tasks and its scripted operators",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["**/*.yaml", "**/*.json", "**/*.onnx", "**/*.npz", "**/*.xml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    zip_safe=False,
    entry_points={"console_scripts": [f"{node} = {NAME}.nodes.{node}:main" for node in NODES]},
)
