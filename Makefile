# Every target sets up what it needs and returns in seconds when nothing changed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help up demo test test-all faults check format bench doctor clean

# Set by the ROS wheels' start-up hook in another environment's Python, it would disarm ours.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE
# Extra arguments: make up ARGS="task:=..." , make test ARGS=tests/core
ARGS ?=
PYTHON_VENV := .venv/bin/python
SOURCES := rove_policy rove_teleop rove_learner ros2_ws/src/rove_core/rove_core \
	ros2_ws/src/rove/rove ros2_ws/src/rove_sim/rove_sim

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  Arguments go in ARGS: make test ARGS="tests/core -x"'

up: ## start the simulated humanoid, its policy, the arbiter and the recorder
	@.ci/setup runtime
	@.venv/bin/rove up $(ARGS)

demo: ## the whole loop once: episodes, learning, push, episodes, report (about 10 minutes)
	@.ci/setup full
	@.venv/bin/rove-sim demo --out build/demo $(ARGS)

test: ## the test suite
	@.ci/setup full
	@$(PYTHON_VENV) -m tests -m "not full" $(ARGS)

test-all: ## the test suite with the whole campaigns that `make test` samples
	@.ci/setup full
	@$(PYTHON_VENV) -m tests $(ARGS)

faults: ## fifty faults against the running graph: a table, and build/faults.json
	@.ci/setup full
	@$(PYTHON_VENV) -m tests.faults $(ARGS)

check: ## style, types and the import rules; changes nothing
	@.ci/setup full
	@$(PYTHON_VENV) -m ruff check .
	@$(PYTHON_VENV) -m ruff format --check .
	@$(PYTHON_VENV) -m mypy $(wildcard $(SOURCES))
	@$(PYTHON_VENV) -m pytest tests/architecture

format: ## rewrite the code in the project's style
	@.ci/setup full
	@$(PYTHON_VENV) -m ruff check --fix-only --quiet .
	@$(PYTHON_VENV) -m ruff format .

bench: ## the benchmarks, one JSON line each, against their baselines and targets
	@.ci/setup full
	@$(PYTHON_VENV) -m tests.bench $(ARGS)

doctor: ## check what the stack needs and name the cure beside each problem
	@.ci/setup runtime
	@.venv/bin/rove doctor $(ARGS)

clean: ## remove what was built; the next target builds it again
	@rm -rf build ros2_ws/build ros2_ws/install ros2_ws/log *.egg-info
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
