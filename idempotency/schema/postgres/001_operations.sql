-- One row for each idempotency key. Times are milliseconds since 1970 by this
-- database's clock; 0 means none.
CREATE TABLE whozex_operations (
	idempotency_key TEXT PRIMARY KEY,
	operation       TEXT NOT NULL,            -- such as PurchasePackage
	subject_id      TEXT NOT NULL,            -- the user or package it is about
	params          TEXT NOT NULL,            -- JSON; the same key must come with the same
	state           TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'indeterminate')),
	attempt         BIGINT NOT NULL,          -- counts the claims of the key; the fencing token
	owner           TEXT NOT NULL,            -- the process that claimed it last
	lease_until     BIGINT NOT NULL,          -- a pending row whose lease is over is nobody's
	record          BYTEA NOT NULL,           -- what Reconcile needs, JSON or sealed
	response        BYTEA,                    -- the response as it came, JSON or sealed
	result_id       TEXT NOT NULL DEFAULT '', -- of the package, user or webhook
	source          TEXT NOT NULL DEFAULT '', -- what the final state rests on: response, reconcile, event, person
	heard           TEXT NOT NULL DEFAULT '', -- packages that events named meanwhile, by spaces
	reason          TEXT NOT NULL DEFAULT '', -- for a person
	not_before      BIGINT NOT NULL DEFAULT 0,-- too early to ask Reconcile again
	created_at      BIGINT NOT NULL,
	updated_at      BIGINT NOT NULL,
	is_open         INTEGER NOT NULL GENERATED ALWAYS AS ( -- 1 while it is not known what became of it
		CASE WHEN state IN ('pending', 'indeterminate') OR (state = 'succeeded' AND result_id = '') THEN 1 ELSE 0 END) STORED
);

-- What is open, for Settle and Pending.
CREATE INDEX whozex_operations_open ON whozex_operations (updated_at)
	WHERE is_open = 1;

-- One purchase of a user at a time: only so can it be attributed.
CREATE UNIQUE INDEX whozex_operations_purchase ON whozex_operations (subject_id)
	WHERE operation = 'PurchasePackage' AND is_open = 1;

CREATE INDEX whozex_operations_subject ON whozex_operations (subject_id, created_at) WHERE subject_id <> '';

CREATE INDEX whozex_operations_result ON whozex_operations (result_id) WHERE result_id <> '';

CREATE INDEX whozex_operations_state ON whozex_operations (state, updated_at);

-- Users that bought. The count of purchases begun tells whether one came in
-- between while packages were counted.
CREATE TABLE whozex_users (
	user_id   TEXT PRIMARY KEY,
	email     TEXT NOT NULL DEFAULT '',
	purchases BIGINT NOT NULL DEFAULT 0
);
