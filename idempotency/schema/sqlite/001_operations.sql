-- One row for each idempotency key. Times are milliseconds since 1970 by this
-- database's clock; 0 means not set.
CREATE TABLE whozex_operations (
	idempotency_key TEXT PRIMARY KEY,
	operation       TEXT NOT NULL,            -- such as PurchasePackage
	subject_id      TEXT NOT NULL,            -- id of the user or package that the call changes
	params          TEXT NOT NULL,            -- JSON; must be equal for each use of the key
	state           TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'indeterminate')),
	attempt         BIGINT NOT NULL,          -- number of claims of the key; the fencing token
	owner           TEXT NOT NULL,            -- the process that claimed it last
	lease_until     BIGINT NOT NULL,          -- after this, other processes may resolve a pending row
	record          BLOB NOT NULL,           -- the parameter of Reconcile, JSON or sealed
	response        BLOB,                    -- the response verbatim, JSON or sealed
	result_id       TEXT NOT NULL DEFAULT '', -- id of the package, user or webhook
	source          TEXT NOT NULL DEFAULT '', -- evidence for the final state: response, reconcile, event, person
	heard           TEXT NOT NULL DEFAULT '', -- ids of packages in events while the row was open, separated by spaces
	reason          TEXT NOT NULL DEFAULT '', -- for people: why the call failed or its outcome is unknown
	not_before      BIGINT NOT NULL DEFAULT 0,-- when to ask Reconcile again
	created_at      BIGINT NOT NULL,
	updated_at      BIGINT NOT NULL,
	is_open         INTEGER NOT NULL GENERATED ALWAYS AS ( -- 1 while the outcome or result is unknown
		CASE WHEN state IN ('pending', 'indeterminate') OR (state = 'succeeded' AND result_id = '') THEN 1 ELSE 0 END) STORED
);

-- Open rows, for Settle and Pending.
CREATE INDEX whozex_operations_open ON whozex_operations (updated_at)
	WHERE is_open = 1;

-- One open purchase per user: else a package cannot be attributed to its key.
CREATE UNIQUE INDEX whozex_operations_purchase ON whozex_operations (subject_id)
	WHERE operation = 'PurchasePackage' AND is_open = 1;

CREATE INDEX whozex_operations_subject ON whozex_operations (subject_id, created_at) WHERE subject_id <> '';

CREATE INDEX whozex_operations_result ON whozex_operations (result_id) WHERE result_id <> '';

CREATE INDEX whozex_operations_state ON whozex_operations (state, updated_at);

-- Users with purchases. The number of purchases begun shows whether another one
-- began while the user's packages were counted.
CREATE TABLE whozex_users (
	user_id   TEXT PRIMARY KEY,
	email     TEXT NOT NULL DEFAULT '',
	purchases BIGINT NOT NULL DEFAULT 0
);
