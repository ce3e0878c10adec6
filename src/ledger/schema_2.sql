-- Every decision, approval, step and outcome, in the order they were written down. Each line's hash covers the line and the hash before
-- it, so that none can be changed, taken out or moved without all after it showing that.
CREATE TABLE audit (
  seq  INTEGER PRIMARY KEY, -- from 1, without a gap
  at   INTEGER NOT NULL,
  run  TEXT,                -- null: about all of them
  json TEXT NOT NULL,
  hash TEXT NOT NULL        -- SHA-256, 64 hex digits
) STRICT;
CREATE INDEX audit_run ON audit (run, seq) WHERE run IS NOT NULL;
