"""The arbiter: who drives the robot, tick by tick. Pure logic with an injected clock.

``transitions`` is the table of modes, ``machine.step`` the function that obeys it,
``command_filter`` what makes every command smooth, ``arbiter.Arbiter`` the three in one.
"""
