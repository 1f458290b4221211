"""What `scripts/faults` and `scripts/soak` share: a server of their own, a mixed
load on it, an account of every call, and what must hold whatever happens.

    server    the server's process, its directories, its configuration
    family    the processes of that server, by role, read from /proc
    client    one call over HTTP, and what became of it
    ledger    the account: each call, its one answer, what was promised and broken
    mix       the load: which calls, with which arguments, by how many clients
    watch     the thread that sees to it that nothing outlives its call
    promises  what is asked after every fault
    faults_*  the faults, by what they hit
    trend     the slope of a figure over time, and how sure it is

`misbehave` stands in the place of an external program, `clock.c` in the place of
the wall clock.
"""
