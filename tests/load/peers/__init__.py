"""Other servers, beside which ours is measured: Debian's Prosody and ejabberd, each with its default store and with SQLite.

Each runs in a temporary folder on loopback, from a configuration that is written for it: one roster for everybody, archive on,
stream management and carbons on, no limits. Passwords are kept as SCRAM verifiers, as ours are. Features that the workloads
do not use are left out, which makes a peer cheaper and not dearer.
"""
