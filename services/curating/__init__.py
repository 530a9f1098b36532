"""Templates: what they ask for, filling them in, keeping them, and bringing them in step with the vendors'.

Reading and filling are pure; the rest asks the store and, through the one HTTP client, the vendors' dialects.
No wire format and no SQL of any kind here, no HTTP routes. Called by the API, the clock, the command line, and sending.
"""
