"""The load harness: drives an XMPP server on loopback and says what each unit of work costs it. How to use it: docs/load.md.

=======================  ================================================================================================
`loop` `line`            one epoll loop, connections without waiting
`session` `scram`        a client: logs in by a script, then counts bytes; no XML tree
`web`                    the same over a web socket
`browser`                the webmail page's
`target` `scout`         where a server is and what it can do; only loopback is driven
`server` `rookery`       servers that are started for it, in a temporary folder
`processes`              processor time and memory of a process tree, from the kernel
`bench`                  a server, its population, who is online, one measurement at a time
`workloads`              what is done
`suite` `conductor`      what is measured on whom, in which order
`rows` `results`         figures of a step, and of a whole run
`bars`                   what a unit of work may cost; which bars are kept
`table` `markdown`       how figures are shown; `html`: with plots
`profile` `gate`         where the server's time goes; what a unit costs in instructions, and whether that grew
`peers` `registration`   Prosody and ejabberd on the same work
`filling`                a long history, for a server that has none yet
=======================  ================================================================================================
"""
