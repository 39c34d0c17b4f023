-- What detections are looked for by: narrow rows, so that no search reads what it does not show.

-- Each detection has a row, made in the same transaction. Those of a release that does not know of it come behind the newest row
-- and are entered at the next start of one that does; this migration leaves the detections of before to that as well.
CREATE TABLE catalogue (
  seq          INTEGER PRIMARY KEY, -- detections.seq
  accepted     INTEGER, -- audit.seq of the entry that says it was accepted
  seen_at      INTEGER NOT NULL,
  lat          REAL,
  lon          REAL,
  class        TEXT,
  camera       TEXT,
  flag         TEXT,
  track        TEXT,
  key          TEXT, -- idempotency key
  retracts     TEXT, -- id of the detection that this entry takes back
  retracted_at INTEGER -- received_at of the entry that takes this one back
);
CREATE UNIQUE INDEX catalogue_key      ON catalogue (key)      WHERE key IS NOT NULL;
CREATE UNIQUE INDEX catalogue_retracts ON catalogue (retracts) WHERE retracts IS NOT NULL;

-- In which blocks of 1024 numbers there is a detection with a value: an index that costs a row for each new value in a block,
-- not one for each detection. It may say too much (what retention has removed), never too little. kind: 1 = class,
-- 2 = camera, 3 = flag, 4 = track, 5 = cell of 0.01 by 0.01 degrees, counted eastwards from the south pole at 180 degrees
-- west, 6 = hour of seen_at.
CREATE TABLE blocks (
  kind  INTEGER NOT NULL,
  value NOT NULL,
  block INTEGER NOT NULL, -- detections.seq / 1024
  PRIMARY KEY (kind, value, block)
) WITHOUT ROWID;

-- The facts of each detection as its body has them.
CREATE VIEW facts AS
SELECT seq, seen_at,
  json_extract(text, '$.fix.lat') AS lat, json_extract(text, '$.fix.lon') AS lon,
  nullif(json_extract(text, '$.object_class'), '') AS class, nullif(json_extract(text, '$.camera_id'), '') AS camera,
  nullif(json_extract(text, '$.fix.flag'), '') AS flag, json_extract(text, '$.track.track_id') AS track,
  json_extract(text, '$.idempotency_key') AS key, json_extract(text, '$.retracts') AS retracts
FROM (SELECT seq, seen_at, CASE WHEN json_valid(CAST(body AS TEXT)) THEN CAST(body AS TEXT) END AS text FROM detections);

CREATE VIEW block_facts AS
SELECT seq, 1 AS kind, class AS value FROM catalogue WHERE retracts IS NULL
UNION ALL SELECT seq, 2, camera FROM catalogue WHERE retracts IS NULL
UNION ALL SELECT seq, 3, flag FROM catalogue WHERE retracts IS NULL
UNION ALL SELECT seq, 4, track FROM catalogue WHERE retracts IS NULL
UNION ALL SELECT seq, 5, CAST((lat + 90) * 100 AS INTEGER) * 36001 + CAST((lon + 180) * 100 AS INTEGER) FROM catalogue WHERE retracts IS NULL
UNION ALL SELECT seq, 6, seen_at / 3600000000 - (seen_at % 3600000000 < 0) FROM catalogue WHERE retracts IS NULL;

CREATE TRIGGER detections_uncatalogued AFTER DELETE ON detections
BEGIN DELETE FROM catalogue WHERE seq = old.seq; END;

-- What happened to a detection after it was accepted. When that was, the catalogue says.
CREATE INDEX audit_detection ON audit (detection_id) WHERE detection_id <> '' AND event <> 'accepted';
