CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- first, last: when the first and the last of its rows were asked; folded: when the block was made (µs since 1970).
-- level: blocks of the same level are merged when there are enough of them.
CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    folded INTEGER NOT NULL,
    level INTEGER NOT NULL,
    ship INTEGER NOT NULL,
    batch INTEGER,
    data BLOB NOT NULL
);
CREATE INDEX block_by_ship ON block (ship, level, id, rows, bytes, first);
CREATE INDEX block_by_time ON block (last, first, id);

CREATE TABLE batch (id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE);
