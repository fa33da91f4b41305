"""What a request costs, here and elsewhere: `make bench` prints one table. Never part of the tests.

The server under test has one core to itself; load and upstream share another. CPU time per request (user and system,
the whole process tree, from /proc) hardly moves when the machine is busy; requests per second and latency do. So
compare by CPU, and by the multiple of the floor or of nginx taken in the same run. Subjects are interleaved over
several rounds, and the median is printed.

Two are apart. `python -m bench.choosing`: what the router's choice among many deployments costs, in this process alone.
`python -m bench.routing`: what a model with several deployments costs beside one with a single one.
"""
