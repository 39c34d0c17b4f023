package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// headSuffix names the file beside app.db that says which audit entry was committed last. SQLite takes a write-ahead log
// that is cut or has a wrong bit for one whose end was never written, and drops the commits from there on without a word.
// The note is written after each commit is synced and is not synced itself: it survives the death of the process, and after
// a power cut it may be old but never ahead, so that it never accuses a sound database.
const headSuffix = "-head"

// head is the newest entry of an audit trail.
type head struct {
	seq  int64
	hash string // hexadecimal
}

const headFormat = "%020d %s"

// encode is of the same length each time, so that the file is overwritten in place and needs no room.
func (h head) encode() []byte {
	text := fmt.Sprintf(headFormat, h.seq, h.hash)
	return fmt.Appendf(nil, "%s %08x\n", text, crc32.ChecksumIEEE([]byte(text)))
}

// headNote is the open file.
type headNote struct {
	file    *os.File
	log     *slog.Logger
	written int64 // seq
	told    bool
}

func openHeadNote(path string, log *slog.Logger) (*headNote, error) {
	file, err := os.OpenFile(path+headSuffix, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the note of the last commit: %w", err)
	}
	return &headNote{file: file, log: log}, nil
}

// write is best effort: an old note proves less, but nothing wrong.
func (n *headNote) write(e auditEntry) {
	if n == nil || e.Seq == n.written {
		return
	}
	_, err := n.file.WriteAt(head{seq: e.Seq, hash: hex.EncodeToString(e.Hash[:])}.encode(), 0)
	if err == nil {
		n.written = e.Seq
	} else if !n.told {
		n.told = true
		n.log.Warn("note the last commit; a damaged log may go unnoticed at the next start", "error", err)
	}
}

// readHead returns what the note says, a zero head when there is none. damaged says that it cannot be read.
func readHead(path string) (h head, damaged bool, err error) {
	text, err := os.ReadFile(path + headSuffix)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return head{}, false, nil
	}
	if err != nil {
		return head{}, false, fmt.Errorf("read the note of the last commit: %w", err)
	}
	var sum uint32
	if _, err := fmt.Sscanf(string(text), "%d %s %x\n", &h.seq, &h.hash, &sum); err != nil || string(h.encode()) != string(text) {
		return head{}, true, nil
	}
	return h, false, nil
}

// checkNote returns what is noted beside the database at path, a zero head for nothing. It refuses when that says that there
// must be a database and there is none.
func checkNote(path string, log *slog.Logger) (head, error) {
	noted, damaged, err := readHead(path)
	if err != nil {
		return head{}, err
	}
	if damaged {
		log.Warn("the note of the last commit cannot be read; nothing is held against it", "path", path+headSuffix)
	}
	if noted.seq > 0 && sizeOf(path) == 0 {
		return head{}, fmt.Errorf("%s is missing or empty, but %d entries of its audit trail were committed: restore a copy, or remove %s to start with nothing",
			filepath.Base(path), noted.seq, path+headSuffix)
	}
	return noted, nil
}

// checkHead holds the database against the note: whatever was committed before the note must be there.
func checkHead(ctx context.Context, conn *sql.Conn, path string, noted head) error {
	if noted.seq == 0 {
		return nil
	}
	has, err := hasHead(ctx, conn, noted)
	if err != nil {
		return fmt.Errorf("hold %s against the note of the last commit: %w", filepath.Base(path), err)
	}
	if !has {
		return fmt.Errorf("%s or its log is damaged: audit entry %d was committed and is not there; restore a copy, or remove %s to go on without what is missing",
			filepath.Base(path), noted.seq, path+headSuffix)
	}
	return nil
}

// hasHead says that the audit trail has the entry, or had it: the oldest ones may be cut off.
func hasHead(ctx context.Context, conn *sql.Conn, h head) (bool, error) {
	var hash []byte
	err := conn.QueryRowContext(ctx, `SELECT hash FROM audit WHERE seq = ?`, h.seq).Scan(&hash)
	if !errors.Is(err, sql.ErrNoRows) {
		return hex.EncodeToString(hash) == h.hash, err
	}
	cuttable, err := forgets(ctx, conn)
	if err != nil || !cuttable {
		return false, err
	}
	cut, err := readFloor(ctx, conn)
	return h.seq <= cut.entry.Seq, err
}
