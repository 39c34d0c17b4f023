-- One row: how often the database was opened for writing. Each writer owns the number that it found and raised, and stops
-- when it reads another one: the lock of the file may not hold on every file system, this does wherever SQLite does.
CREATE TABLE epoch (
  one   INTEGER PRIMARY KEY CHECK (one = 1),
  epoch INTEGER NOT NULL
);
INSERT INTO epoch VALUES (1, 0);
