package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"
)

// The layouts are those of https://sqlite.org/walformat.html.
const (
	logHeaderBytes   = 32
	frameHeaderBytes = 24
	indexHeaderBytes = 48
)

// saveDamagedLog copies the write-ahead log of the database at path aside when it has fewer commits than there were. SQLite
// takes a log that is cut or has a wrong bit for one whose end was never written, and drops the commits from there on
// without a word; what is before goes on being used.
func saveDamagedLog(ctx context.Context, path string, now time.Time, log *slog.Logger) error {
	have, want, err := countFrames(path)
	if err != nil {
		return fmt.Errorf("check the log of %s: %w", path, err)
	}
	if have >= want {
		return nil
	}
	to := asideName(path, now) + ".log"
	content, err := os.ReadFile(path + "-wal")
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.WriteFile(to, content, 0o600)
	}
	if err == nil {
		err = syncDir(path)
	}
	if err != nil {
		return fmt.Errorf("set damaged log aside: %w", err)
	}
	log.ErrorContext(ctx, "the log is damaged and a copy was set aside; acknowledged detections may be in it",
		"path", to, "pages", want, "sound_pages", have)
	return nil
}

// countFrames returns how many frames of the log are sound, and how many were committed when the process ended: that is in
// the index of the log, which outlives a process and is of no use once the machine has stopped.
func countFrames(path string) (have, want uint32, err error) {
	if !sameBoot(path) {
		return 0, 0, nil
	}
	index, err := readUpTo(path+"-shm", 2*indexHeaderBytes)
	if err != nil || len(index) < 2*indexHeaderBytes || !bytes.Equal(index[:indexHeaderBytes], index[indexHeaderBytes:]) {
		return 0, 0, err
	}
	const isInit, mxFrame, salt = 12, 16, 32
	if want = binary.NativeEndian.Uint32(index[mxFrame:]); index[isInit] == 0 || want == 0 {
		return 0, 0, nil
	}
	wal, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, want, nil
	}
	if err != nil {
		return 0, 0, err
	}
	defer wal.Close()
	have, err = soundFrames(wal, index[salt:salt+8], want)
	return have, want, err
}

// soundFrames follows the checksums of a log up to most frames.
func soundFrames(wal io.Reader, salt []byte, most uint32) (count uint32, err error) {
	frame := make([]byte, frameHeaderBytes+pageBytes)
	header := frame[:logHeaderBytes]
	if _, err := io.ReadFull(wal, header); err != nil {
		return 0, ignoreEnd(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if header[3]&1 != 0 { // the magic number's last bit
		order = binary.BigEndian
	}
	sum := frameSum{order: order}
	if sum.add(header[:24]); !sum.is(header[24:]) || !bytes.Equal(header[16:24], salt) || binary.BigEndian.Uint32(header[8:]) != pageBytes {
		return 0, nil
	}
	for ; count < most; count++ {
		if _, err := io.ReadFull(wal, frame); err != nil {
			return count, ignoreEnd(err)
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeaderBytes:])
		if !bytes.Equal(frame[8:16], salt) || !sum.is(frame[16:frameHeaderBytes]) {
			return count, nil
		}
	}
	return count, nil
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// frameSum is the running checksum of a log.
type frameSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (s *frameSum) add(words []byte) {
	for ; len(words) >= 8; words = words[8:] {
		s.s0 += s.order.Uint32(words) + s.s1
		s.s1 += s.order.Uint32(words[4:]) + s.s0
	}
}

func (s *frameSum) is(stored []byte) bool {
	return binary.BigEndian.Uint32(stored) == s.s0 && binary.BigEndian.Uint32(stored[4:]) == s.s1
}

func readUpTo(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// sameBoot says that the machine has not stopped since the database was opened last.
func sameBoot(path string) bool {
	then, err := os.ReadFile(path + lockSuffix)
	now := bootID()
	return err == nil && now != "" && string(then) == now
}

// bootID is another one after each start of the machine, empty when it cannot be told.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// noteBoot writes into the lock file when the database was opened. It is best effort, as the disk may be full: without it a
// damaged log is not told from one that was never finished.
func noteBoot(path string, lock *os.File) {
	if sameBoot(path) {
		return
	}
	if lock.Truncate(0) == nil {
		_, _ = lock.WriteAt([]byte(bootID()), 0)
	}
}
