-- A claim reads only events that may run: however many wait behind a failing event
-- of their stream or for the end of their back-off, it costs the same.
ALTER TABLE whozex_inbox ADD COLUMN blocked BIGINT NOT NULL DEFAULT 0; -- 1 behind an open event of its stream

UPDATE whozex_inbox SET blocked = 1
WHERE state IN ('waiting', 'running') AND stream <> '' AND EXISTS (
	SELECT 1 FROM whozex_inbox b
	WHERE b.stream = whozex_inbox.stream AND b.seq < whozex_inbox.seq AND b.state IN ('waiting', 'running'));

DROP INDEX whozex_inbox_open;

CREATE INDEX whozex_inbox_due ON whozex_inbox (due_at, seq) WHERE state IN ('waiting', 'running') AND blocked = 0;
