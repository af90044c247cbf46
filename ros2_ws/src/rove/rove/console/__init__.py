"""The supervisor's console in the browser: viser's page, the robot in 3-D, and who may open it."""
