package sqlite

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/detection-api/detection-api/app/internal/detection"
)

// sealLen is the length of a mark and eight digits.
const sealLen = 9

// seal appends a checksum to a queued record: SQLite notices damage to its own structure and not to what is written in it.
// (In app.db the audit trail has a hash of each detection.)
func seal(record []byte) []byte {
	return fmt.Appendf(record, "#%08x", crc32.Checksum(record, crc32.MakeTable(crc32.Castagnoli)))
}

// unseal checks and decodes a queued record. One without a seal is of an older program: JSON ends otherwise.
func unseal(sealed []byte, record *detection.Record) error {
	body := sealed
	if at := len(sealed) - sealLen; at >= 0 && sealed[at] == '#' {
		body = sealed[:at]
		want, err := strconv.ParseUint(string(sealed[at+1:]), 16, 32)
		if err != nil || uint32(want) != crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) {
			return errors.New("its checksum does not match")
		}
	}
	return json.Unmarshal(body, record)
}
