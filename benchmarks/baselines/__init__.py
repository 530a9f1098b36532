"""What Hookline is measured against: programs that one would write first, and a server that does nothing.

Written as a competent engineer would on the first day; where there was a choice, the faster one was taken.
Never here: anything of Hookline's own, so that no improvement of ours helps them.
"""
