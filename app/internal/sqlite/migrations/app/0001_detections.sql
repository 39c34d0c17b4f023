-- app.db, first schema. Times are microseconds since 1970-01-01 UTC.

-- seq is the order of acceptance; a row is never updated.
CREATE TABLE detections (
  seq         INTEGER PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,
  seen_at     INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  deliver     INTEGER NOT NULL,
  owner       TEXT    NOT NULL,
  body        BLOB    NOT NULL -- the detection as JSON
);

-- What is owed to TAK. The index also holds seq, so the oldest rows of an owner are read in order from it.
CREATE TABLE outbox (
  seq   INTEGER PRIMARY KEY, -- detections.seq
  owner TEXT    NOT NULL
);
CREATE INDEX outbox_owner ON outbox (owner);

CREATE TABLE owners (
  owner       TEXT    PRIMARY KEY,
  lease_until INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE dead_letters (
  seq    INTEGER PRIMARY KEY, -- detections.seq
  at     INTEGER NOT NULL,
  reason TEXT    NOT NULL
);

-- Append-only. hash is SHA-256 over prev and the row (see auditHash), prev is the hash of the row before.
CREATE TABLE audit (
  seq          INTEGER PRIMARY KEY,
  detection_id TEXT    NOT NULL,
  event        TEXT    NOT NULL,
  at           INTEGER NOT NULL,
  detail       TEXT    NOT NULL,
  prev         BLOB    NOT NULL,
  hash         BLOB    NOT NULL
);
CREATE TRIGGER audit_never_updated BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_never_deleted BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;

-- One row: how many rows the tables have, kept by the transactions that change them.
CREATE TABLE counts (
  one          INTEGER PRIMARY KEY CHECK (one = 1),
  detections   INTEGER NOT NULL,
  outbox       INTEGER NOT NULL,
  dead_letters INTEGER NOT NULL
);
INSERT INTO counts VALUES (1, 0, 0, 0);
