-- Times are UTC milliseconds. Columns beside the JSON are what is searched by; the JSON is the prediction itself.
CREATE TABLE predictions (
  id         TEXT PRIMARY KEY,
  watch      TEXT NOT NULL,
  series     TEXT NOT NULL,    -- fingerprint, 16 hex digits
  cause      TEXT NOT NULL,
  state      TEXT NOT NULL,    -- open, resolved, expired
  raised_at  INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  due_at     INTEGER NOT NULL, -- the truth is known at the latest then
  truth      TEXT,             -- came_true, did_not, not_known; null: not judged yet
  revision   INTEGER NOT NULL,
  json       TEXT NOT NULL
) STRICT;
CREATE INDEX predictions_newest ON predictions (raised_at DESC, id);
CREATE INDEX predictions_live ON predictions (raised_at, id) WHERE state = 'open' OR truth IS NULL;
CREATE INDEX predictions_changed ON predictions (updated_at);

CREATE TABLE prediction_events (
  id       TEXT NOT NULL REFERENCES predictions (id),
  revision INTEGER NOT NULL,
  kind     TEXT NOT NULL,      -- raised, updated, resolved, scored
  at       INTEGER NOT NULL,
  json     TEXT NOT NULL,
  PRIMARY KEY (id, revision, kind)
) STRICT;

CREATE TABLE outbox (
  event_id        TEXT NOT NULL,
  target          TEXT NOT NULL,
  created_at      INTEGER NOT NULL,
  next_attempt_at INTEGER NOT NULL,
  attempts        INTEGER NOT NULL DEFAULT 0,
  content_type    TEXT NOT NULL,
  payload         BLOB NOT NULL,
  state           TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  last_error      TEXT,
  delivered_at    INTEGER,
  PRIMARY KEY (event_id, target)
) STRICT;
CREATE INDEX outbox_due ON outbox (target, next_attempt_at) WHERE state = 'pending';
CREATE INDEX outbox_delivered ON outbox (delivered_at) WHERE state = 'delivered';
