-- A claim reads only events that can run, so its cost does not depend on how many wait
-- for a failing event of their stream or for the end of their back-off.
ALTER TABLE whozex_inbox ADD COLUMN blocked BIGINT NOT NULL DEFAULT 0; -- 1 while an earlier event of its stream is open

UPDATE whozex_inbox SET blocked = 1
WHERE state IN ('waiting', 'running') AND stream <> '' AND EXISTS (
	SELECT 1 FROM whozex_inbox b
	WHERE b.stream = whozex_inbox.stream AND b.seq < whozex_inbox.seq AND b.state IN ('waiting', 'running'));

DROP INDEX whozex_inbox_open;

CREATE INDEX whozex_inbox_due ON whozex_inbox (due_at, seq) WHERE state IN ('waiting', 'running') AND blocked = 0;
