"""The webmail's side of the engine: frames of its socket to commands, events to frames. No I/O.

=============  ==================================================================
`frames`       what is said on the socket, both ways, with a version
`attachments`  files, in a message and in the answer to an upload
`reading`      a browser's frame -> commands for its session
`description`  the page about all frames, docs/webmail-protocol.md
`writing`      an event of the session -> a frame, rendered once for all
=============  ==================================================================
"""
