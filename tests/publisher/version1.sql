
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE entries (
  idx INTEGER PRIMARY KEY, id TEXT NOT NULL, leaf BLOB NOT NULL CHECK (length(leaf) = 32), data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_id ON entries (id);
CREATE TABLE rosters (idx INTEGER PRIMARY KEY REFERENCES entries (idx)) STRICT;
CREATE TABLE heads (
  size INTEGER PRIMARY KEY, root BLOB NOT NULL CHECK (length(root) = 32), time TEXT NOT NULL
) STRICT;
CREATE TABLE frontiers (size INTEGER PRIMARY KEY REFERENCES heads (size), hashes BLOB NOT NULL) STRICT;
CREATE TABLE signatures (
  size INTEGER NOT NULL REFERENCES heads (size), key TEXT NOT NULL, line BLOB NOT NULL, PRIMARY KEY (size, key)
) STRICT;
CREATE TABLE published (size INTEGER PRIMARY KEY REFERENCES heads (size), time TEXT NOT NULL) STRICT;
CREATE TABLE notes (n INTEGER PRIMARY KEY, time TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL) STRICT;

CREATE TRIGGER meta_no_update BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'meta is append-only'); END;
CREATE TRIGGER meta_no_delete BEFORE DELETE ON meta BEGIN SELECT RAISE(ABORT, 'meta is append-only'); END;
CREATE TRIGGER meta_no_replace BEFORE INSERT ON meta WHEN EXISTS (SELECT 1 FROM meta WHERE key = NEW.key) BEGIN SELECT RAISE(ABORT, 'meta is append-only'); END;
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries is append-only'); END;
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries is append-only'); END;
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries WHERE idx = NEW.idx OR id = NEW.id) BEGIN SELECT RAISE(ABORT, 'entries is append-only'); END;
CREATE TRIGGER rosters_no_update BEFORE UPDATE ON rosters BEGIN SELECT RAISE(ABORT, 'rosters is append-only'); END;
CREATE TRIGGER rosters_no_delete BEFORE DELETE ON rosters BEGIN SELECT RAISE(ABORT, 'rosters is append-only'); END;
CREATE TRIGGER rosters_no_replace BEFORE INSERT ON rosters WHEN EXISTS (SELECT 1 FROM rosters WHERE idx = NEW.idx) BEGIN SELECT RAISE(ABORT, 'rosters is append-only'); END;
CREATE TRIGGER heads_no_update BEFORE UPDATE ON heads BEGIN SELECT RAISE(ABORT, 'heads is append-only'); END;
CREATE TRIGGER heads_no_delete BEFORE DELETE ON heads BEGIN SELECT RAISE(ABORT, 'heads is append-only'); END;
CREATE TRIGGER heads_no_replace BEFORE INSERT ON heads WHEN EXISTS (SELECT 1 FROM heads WHERE size = NEW.size) BEGIN SELECT RAISE(ABORT, 'heads is append-only'); END;
CREATE TRIGGER frontiers_no_update BEFORE UPDATE ON frontiers BEGIN SELECT RAISE(ABORT, 'frontiers is append-only'); END;
CREATE TRIGGER frontiers_no_delete BEFORE DELETE ON frontiers BEGIN SELECT RAISE(ABORT, 'frontiers is append-only'); END;
CREATE TRIGGER frontiers_no_replace BEFORE INSERT ON frontiers WHEN EXISTS (SELECT 1 FROM frontiers WHERE size = NEW.size) BEGIN SELECT RAISE(ABORT, 'frontiers is append-only'); END;
CREATE TRIGGER signatures_no_update BEFORE UPDATE ON signatures BEGIN SELECT RAISE(ABORT, 'signatures is append-only'); END;
CREATE TRIGGER signatures_no_delete BEFORE DELETE ON signatures BEGIN SELECT RAISE(ABORT, 'signatures is append-only'); END;
CREATE TRIGGER signatures_no_replace BEFORE INSERT ON signatures WHEN EXISTS (SELECT 1 FROM signatures WHERE size = NEW.size AND key = NEW.key) BEGIN SELECT RAISE(ABORT, 'signatures is append-only'); END;
CREATE TRIGGER published_no_update BEFORE UPDATE ON published BEGIN SELECT RAISE(ABORT, 'published is append-only'); END;
CREATE TRIGGER published_no_delete BEFORE DELETE ON published BEGIN SELECT RAISE(ABORT, 'published is append-only'); END;
CREATE TRIGGER published_no_replace BEFORE INSERT ON published WHEN EXISTS (SELECT 1 FROM published WHERE size = NEW.size) BEGIN SELECT RAISE(ABORT, 'published is append-only'); END;
CREATE TRIGGER notes_no_update BEFORE UPDATE ON notes BEGIN SELECT RAISE(ABORT, 'notes is append-only'); END;
CREATE TRIGGER notes_no_delete BEFORE DELETE ON notes BEGIN SELECT RAISE(ABORT, 'notes is append-only'); END;
CREATE TRIGGER notes_no_replace BEFORE INSERT ON notes WHEN EXISTS (SELECT 1 FROM notes WHERE n = NEW.n) BEGIN SELECT RAISE(ABORT, 'notes is append-only'); END;

CREATE TABLE IF NOT EXISTS acts (
  idx INTEGER PRIMARY KEY, time TEXT NOT NULL, id TEXT NOT NULL UNIQUE, ref TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  form TEXT NOT NULL, office TEXT NOT NULL, number TEXT, folded TEXT, year TEXT NOT NULL, title TEXT NOT NULL,
  signed_on TEXT NOT NULL, signers TEXT NOT NULL, relations TEXT NOT NULL,
  series TEXT, serial INTEGER, body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS acts_number ON acts (form, office, folded, year) WHERE folded IS NOT NULL;
CREATE INDEX IF NOT EXISTS acts_series ON acts (series, serial, signed_on) WHERE series IS NOT NULL;
CREATE INDEX IF NOT EXISTS acts_void ON acts (idx) WHERE kind = 'void';
CREATE TABLE IF NOT EXISTS relations (
  idx INTEGER NOT NULL, type TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (target, idx, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
  sha256 TEXT NOT NULL, idx INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (sha256, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lookups (
  kind TEXT NOT NULL, prefix TEXT NOT NULL, value TEXT NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (kind, prefix, idx, value)
) STRICT, WITHOUT ROWID;
