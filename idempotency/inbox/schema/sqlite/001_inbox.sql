-- One row for each event that was received. Times are milliseconds since 1970 by
-- this database's clock.
CREATE TABLE whozex_inbox (
	event_id    TEXT NOT NULL PRIMARY KEY,
	seq         BIGINT NOT NULL UNIQUE,      -- the order of receipt
	stream      TEXT NOT NULL,               -- events of a stream are handled in order; empty for none
	name        TEXT NOT NULL,
	webhook     TEXT NOT NULL,
	sent_at     TEXT NOT NULL,               -- the event's own timestamp, RFC 3339, or empty
	data        BLOB,                        -- the event's data, JSON
	body        BLOB NOT NULL,               -- the body as it was signed, JSON
	state       TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'dead')),
	attempt     BIGINT NOT NULL DEFAULT 0,
	due_at      BIGINT NOT NULL,             -- when a worker may claim it: after the back-off, or the lease
	claim       TEXT NOT NULL DEFAULT '',    -- set by the worker that claimed it; the fencing token
	reason      TEXT NOT NULL DEFAULT '',    -- why the last attempt failed
	received_at BIGINT NOT NULL,
	updated_at  BIGINT NOT NULL
);

-- With an index on state SQLite would sort all waiting events.
CREATE INDEX whozex_inbox_open ON whozex_inbox (seq) WHERE state IN ('waiting', 'running');

CREATE INDEX whozex_inbox_stream ON whozex_inbox (stream, seq) WHERE state IN ('waiting', 'running');

CREATE INDEX whozex_inbox_done ON whozex_inbox (updated_at) WHERE state = 'done';

CREATE INDEX whozex_inbox_dead ON whozex_inbox (updated_at, seq) WHERE state = 'dead';
