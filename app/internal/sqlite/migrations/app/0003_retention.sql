-- Dead letters that are driven again, detections that are removed by age and size, an audit trail with a beginning.

-- What the detections take (bytes of their JSON), kept like the other counts.
ALTER TABLE counts ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE counts SET bytes = (SELECT coalesce(sum(octet_length(body)), 0) FROM detections);

-- How long each owner's lease lasts (microseconds), so that a restart can give it again without asking the wall clock.
ALTER TABLE owners ADD COLUMN lease INTEGER NOT NULL DEFAULT 0;

-- detections.seq is the number of the detection: the n-th one that was accepted has n. The newest one is never removed, or
-- its number would be given twice.
CREATE TRIGGER detections_owed_stay BEFORE DELETE ON detections
WHEN EXISTS (SELECT 1 FROM outbox WHERE seq = old.seq) OR EXISTS (SELECT 1 FROM dead_letters WHERE seq = old.seq)
  OR old.seq = (SELECT max(seq) FROM detections)
BEGIN SELECT raise(ABORT, 'a detection that is owed, a dead letter or the newest one is not removed'); END;

-- Which detections retention has removed, as ranges of their numbers. The audit trail says the same.
CREATE TABLE removed (
  first INTEGER PRIMARY KEY,
  last  INTEGER NOT NULL
);

-- One row: the newest audit entry that may be gone, 0 for none. The chain goes on from its hash. accepted is how many
-- entries up to it say that a detection was accepted: all of those are gone too.
CREATE TABLE audit_floor (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  seq      INTEGER NOT NULL,
  hash     BLOB    NOT NULL,
  accepted INTEGER NOT NULL
);
INSERT INTO audit_floor VALUES (1, 0, zeroblob(32), 0);
CREATE TRIGGER audit_floor_never_deleted BEFORE DELETE ON audit_floor
BEGIN SELECT raise(ABORT, 'the floor of the audit trail only moves forward'); END;

-- It moves forward only, onto an entry that is there, and not over one that is less than 90 days (7776000000000
-- microseconds) older than the newest.
CREATE TRIGGER audit_floor_forward BEFORE UPDATE ON audit_floor
WHEN new.seq <= old.seq OR new.accepted < old.accepted
  OR NOT EXISTS (SELECT 1 FROM audit WHERE seq = new.seq AND hash = new.hash)
  OR EXISTS (SELECT 1 FROM audit WHERE seq <= new.seq
    AND at > (SELECT at FROM audit ORDER BY seq DESC LIMIT 1) - 7776000000000)
BEGIN SELECT raise(ABORT, 'the audit trail is append-only and kept for 90 days'); END;

DROP TRIGGER audit_never_deleted;
CREATE TRIGGER audit_never_deleted BEFORE DELETE ON audit
WHEN old.seq > (SELECT seq FROM audit_floor)
BEGIN SELECT raise(ABORT, 'the audit trail is append-only'); END;
