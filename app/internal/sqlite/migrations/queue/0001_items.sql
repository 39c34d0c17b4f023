-- queue.db, first schema. Times are microseconds since 1970-01-01 UTC.

-- state: 0 = owed to TAK, 1 = outcome known and not yet acknowledged, 2 = nothing is owed.
CREATE TABLE items (
  pos     INTEGER PRIMARY KEY, -- order of acceptance, never used twice by one process
  id      TEXT    NOT NULL UNIQUE,
  stored  INTEGER NOT NULL,
  state   INTEGER NOT NULL,
  outcome TEXT    NOT NULL DEFAULT '',
  at      INTEGER NOT NULL DEFAULT 0,
  reason  TEXT    NOT NULL DEFAULT '',
  record  BLOB    NOT NULL -- the record as JSON
);

-- Each question reads only rows that answer it, oldest first, however long the rest of the queue is.
CREATE INDEX items_unstored       ON items (pos) WHERE stored = 0;
CREATE INDEX items_undelivered    ON items (pos) WHERE state = 0;
CREATE INDEX items_unacknowledged ON items (pos) WHERE state = 1 AND stored = 1;
CREATE INDEX items_done           ON items (pos) WHERE state = 2 AND stored = 1;
