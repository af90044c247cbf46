"""One page about a night: what the robot did before, what was learned, what it did after.

``page.write_report`` writes the page, ``terminal.demo_table`` the same in short for a terminal,
``strip.film_strip`` a single picture of one episode.
"""
