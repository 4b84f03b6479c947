"""The engine decides. This docstring is the map of the system.

Five packages, five verbs::

    engine decides · actors own and wait · gateways touch bytes · index remembers and finds · config assembles

If a sentence about a file needs two of these verbs, it is two files.

What you find in this package, all of it plain functions over values, without trio, pykka, sockets, a clock or a disk:

=================  ====================================================================================================
`jid`              addresses in one spelling
`messages`         the vocabulary of every mailbox: commands are imperative, events past tense
`presence`         the four statuses, how devices merge, what Offline in webmail means
`board`            the presence of a domain as it was told, and what is told next
`delivery`         who gets a message: the table of RFC 6121, section 8
`catch_up`         what a session missed, and how it gets it once; `clients`: what stays of a client between two logins
`standing`         who missed nothing, known without a look at the disk
`outbox` `intake`  what is under way to a client and from it, numbered and acknowledged
`resumption`       what is kept of a session for the time after a kill
`contacts`         the domain as a contact list; roster versions; a user's own additions
`alias`            whom an alias reaches, and which may not be made
`blocking`         whom a member shuts out, and what that stops
`photos`           what a user's own photo may be
`administration`   what an operator can ask for
`retention`        what goes from the archive for good: what is too old, and the history of who was removed
`files`            files that messages carry: their addresses, who may have them, when they go
`ports`            what is kept or found elsewhere: archive, accounts, contact search, a client's wire
`measures`         figures that the server gives of itself
`errors` `limits`  why something is refused; what is bounded, where, and why there
`webmail`          the browser's frames, read and written
`xmpp`             the protocol without I/O: bytes in, events out; one stream, two framings; a feature is a small file
=================  ====================================================================================================

**One message, stop by stop.** A `gateways.connection` reads bytes; `xmpp.stream` makes elements of them, `xmpp.client` commands
(`messages.SendChat`). The client's `actors.session` passes it to its `actors.user`. The user looks the recipient up in the
`actors.directory`; for an alias it asks the `actors.alias` who is online; and it hands the chat to the `actors.archiver`, which
commits it for both parties and only then tells it to the user of each recipient. `delivery.choose` picks the sessions, each
session gives it to its wire, and the connection writes it at the end of the turn, together with whatever else came in. A
session that can be resumed after a kill notes in its journal which number the chat has in its stream; the connection has that
kept before it writes. A question to the history takes the same way to the archiver and so sees what was sent before it; an
`actors.librarian` answers.

**One presence.** A session tells its user, the user its `actors.domain`. The domain collects changes for 50 ms, longer when
very many are told, and tells them to every session that sees others as one object, which is rendered once.

**Who may import whom.** engine: nothing of ours. index: engine. actors: engine. gateways: engine and actors. config: all.
Nobody: config. A third-party library has one home: pykka in actors, aiosqlite, asyncio and tantivy in index, trio-websocket
and ssl in gateways, slixmpp's JID in `engine.jid`. ``tests/test_layers.py`` walks the imports and fails on any other edge.

**Promises** that no change may break: acknowledged means on disk in every archive it belongs to, and delivery follows the
commit; a domain is an island; XMPP and webmail share one truth; no input harms any session but the sender's; every queue,
buffer and cache has a limit and a policy at it; an address is looked up in the directory only.
"""
